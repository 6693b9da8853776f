"""Well-behaved HTTP GET behind the port `Fetcher`. The only file of the line that imports httpx.

Per host: robots.txt first (one that cannot be had is no permission, RFC 9309), one request at a time, a
pause between two, and silence for as long as a 429 or 503 asked. A body is cut at the size limit while it
is decompressed, so that a small answer cannot grow large; a request ends at its time limit in any case.
"""

import ipaddress
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from urllib.parse import urljoin, urlsplit

import httpx
from protego import Protego

from pipeline.errors import RetryLater
from pipeline.ports import Clock, Response

_REDIRECTS = 5
_ASKED_TO_WAIT = {429, 503}
_LONGEST_WAIT_S = 6 * 3600.0
_ACCEPT = "application/rss+xml, application/atom+xml, text/html, application/xhtml+xml, text/xml;q=0.9, */*;q=0.5"


class _Host:
    """What is known of one host during this process."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.free_at = 0.0
        self.robots: Protego | None = None


class HttpFetcher:
    """`Fetcher` on httpx. `delay` seconds lie between two requests to a host, or what its robots.txt asks."""

    def __init__(
        self,
        clock: Clock,
        *,
        user_agent: str,
        timeout: float = 20.0,
        max_bytes: int = 10 * 2**20,
        delay: float = 1.0,
        allow_private: bool = False,
    ) -> None:
        self._clock = clock
        self._agent = user_agent
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._delay = delay
        self._allow_private = allow_private
        self._hosts: dict[str, _Host] = {}
        self._client = httpx.Client(
            headers={"User-Agent": user_agent, "Accept": _ACCEPT},
            timeout=httpx.Timeout(timeout, connect=min(5.0, timeout)),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """See `Fetcher.get`."""
        headers = {}
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        for _ in range(_REDIRECTS + 1):
            if reason := self._refusal(url):
                return Response(0, url, {"x-error": reason}, b"")
            response = self._one(url, headers)
            target = response.headers.get("location")
            if response.status not in (301, 302, 303, 307, 308) or target is None:
                return response
            url = urljoin(url, target)
        return Response(0, url, {"x-error": f"more than {_REDIRECTS} redirects"}, b"")

    def _refusal(self, url: str) -> str | None:
        """Return why this address is not fetched at all."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return f"{url!r} is no http address"
        if not self._allow_private and _is_private(parts.hostname):
            return f"{parts.hostname} is a private address; DEPECHE_ALLOW_PRIVATE=true allows it"
        robots = self._robots(f"{parts.scheme}://{parts.netloc}")
        return None if robots.can_fetch(url, self._agent) else f"robots.txt of {parts.netloc} forbids it"

    def _host(self, origin: str) -> _Host:
        return self._hosts.setdefault(origin, _Host())

    def _robots(self, origin: str) -> Protego:
        host = self._host(origin)
        if host.robots is None:
            answer = self._one(f"{origin}/robots.txt", {})
            if answer.status >= 500:
                raise RetryLater(f"robots.txt of {origin} answered {answer.status}: no permission yet")
            # Any other answer than one with rules means that there are none (RFC 9309, 2.3.1.3).
            text = answer.body.decode("utf-8", errors="replace") if answer.status == 200 else ""
            host.robots = Protego.parse(text)
        return host.robots

    def _one(self, url: str, headers: Mapping[str, str]) -> Response:
        """Return the answer of one request, once the host's turn has come."""
        parts = urlsplit(url)
        host = self._host(f"{parts.scheme}://{parts.netloc}")
        with host.lock:
            wait = host.free_at - self._clock.monotonic()
            if wait > 60:
                raise RetryLater(f"{parts.netloc} asked not to be asked for another {wait:.0f} s")
            if wait > 0:
                self._clock.sleep(wait)
            try:
                response = self._ask(url, headers)
            finally:
                host.free_at = self._clock.monotonic() + self._pause(host)
            if response.status in _ASKED_TO_WAIT:
                seconds = _retry_after(response.headers.get("retry-after"), self._clock.now())
                host.free_at = self._clock.monotonic() + seconds
                raise RetryLater(f"{parts.netloc} answered {response.status}: ask again in {seconds:.0f} s")
        return response

    def _pause(self, host: _Host) -> float:
        asked = host.robots.crawl_delay(self._agent) if host.robots else None
        return max(self._delay, min(float(asked or 0), 60.0))

    def _ask(self, url: str, headers: Mapping[str, str]) -> Response:
        deadline = self._clock.monotonic() + self._timeout
        with _foreign_errors(url), self._client.stream("GET", url, headers=dict(headers)) as answer:
            body = bytearray()
            truncated = False
            for chunk in answer.iter_bytes(65_536):
                body += chunk[: self._max_bytes - len(body)]
                truncated = len(chunk) > 0 and len(body) >= self._max_bytes
                if truncated:
                    break
                if self._clock.monotonic() > deadline:
                    raise RetryLater(f"{url} was still answering after {self._timeout:.0f} s")
            return Response(answer.status_code, url, dict(answer.headers), bytes(body), truncated)


@contextmanager
def _foreign_errors(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise RetryLater(f"{url} cannot be fetched: {type(error).__name__} {error}".strip()) from error


def _is_private(host: str) -> bool:
    """Tell whether the name leads, by any of its addresses, into a network that is not public."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False  # cannot be resolved: the request itself will say so
    return any(not ipaddress.ip_address(str(address).split("%")[0]).is_global for address in found)


def _retry_after(value: str | None, now: datetime) -> float:
    """Return seconds from a Retry-After header: a number, or a date (RFC 9110, 10.2.3); a minute without one."""
    if value is None:
        return 60.0
    if value.strip().isdecimal():
        return min(float(value), _LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return 60.0
    return min(max(0.0, (at.astimezone(UTC) - now).total_seconds()), _LONGEST_WAIT_S)
