"""Well-behaved HTTP GET behind the port `Fetcher`. Only this file and `public_only.py` import httpx on the line.

Per host: robots.txt first (one that cannot be had is no permission, RFC 9309), one request at a time, a
pause between two, and silence for as long as a 429 or 503 asked or after the host did not answer. A body is
cut at the size limit while it is decompressed, so that a small answer cannot grow large.
"""

import copy
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from threading import Lock
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx
from protego import Protego

from pipeline.adapters.inflate import Broken, inflate
from pipeline.adapters.public_only import PrivateAddress, addresses, is_public, public_transport
from pipeline.errors import RetryLater
from pipeline.identity import bare
from pipeline.ports import Clock, Response

_MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_TOO_MANY, _UNAVAILABLE = 429, 503
_LONGEST_SLEEP_S = 60.0
_LONGEST_WAIT_S = 6 * 3600.0
_DEAD_HOST_S = 60.0
_WEB_PORTS, _FIRST_FREE_PORT = {80, 443}, 1024
_ROBOTS_LIFE_S = 24 * 3600.0  # RFC 9309, 2.4
_ROBOTS_BYTES = 500 * 1024  # RFC 9309, 2.5
_ACCEPT = "application/rss+xml, application/atom+xml, text/html, application/xhtml+xml, text/xml;q=0.9, */*;q=0.5"


class _Unreachable(RetryLater):
    """No connection to the host can be made."""


class _Manners(NamedTuple):
    """How one source's hosts are treated: seconds between two requests, and whether they may be private."""

    delay: float
    allow_private: bool


class _Host:
    """What is known of one host during this process."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.free_at = 0.0
        self.silent_until = 0.0
        self.silence: RetryLater | None = None
        self.robots: Protego | None = None
        self.robots_until = 0.0


class HttpFetcher:
    """`Fetcher` on httpx. `delay` seconds lie between two requests to a host, or what its robots.txt asks.

    Private addresses are refused, but for the `trusted` ones (host:port) or with `allow_private`.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        user_agent: str,
        timeout: float = 20.0,
        max_bytes: int = 10 * 2**20,
        delay: float = 1.0,
        allow_private: bool = False,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self._clock = clock
        self._agent = user_agent
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._manners = _Manners(delay, allow_private)
        self._trusted = trusted
        self._hosts: dict[str, _Host] = {}
        # Two pools: a connection made for a source that may be private is never used for one that may not.
        transports = {False: public_transport(_certificates()), True: httpx.HTTPTransport(verify=_certificates())}
        self._clients = {private: self._client(transport) for private, transport in transports.items()}

    def _client(self, transport: httpx.HTTPTransport) -> httpx.Client:
        return httpx.Client(
            headers={"User-Agent": self._agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip"},
            timeout=httpx.Timeout(self._timeout, connect=min(5.0, self._timeout)),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()

    def behaving(self, *, delay: float | None = None, allow_private: bool = False) -> "HttpFetcher":
        """Return this fetcher with the manners one source asks for; both know the same of each host."""
        other, mine = copy.copy(self), self._manners
        other._manners = _Manners(mine.delay if delay is None else delay, mine.allow_private or allow_private)
        return other

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """See `Fetcher.get`."""
        headers = {}
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        return self._follow(url, headers, ask_robots=True, limit=self._max_bytes)

    def _follow(self, url: str, headers: Mapping[str, str], *, ask_robots: bool, limit: int) -> Response:
        for _ in range(_MOST_REDIRECTS + 1):
            reason = self._refusal(url) or (self._forbidden(url) if ask_robots else None)
            if reason:
                return Response(0, bare(url), {"x-error": reason}, b"")
            response = self._one(url, headers, limit)
            target = response.headers.get("location")
            if response.status not in _REDIRECTS or target is None:
                return response
            url = urljoin(url, target)
        return Response(0, bare(url), {"x-error": f"more than {_MOST_REDIRECTS} redirects"}, b"")

    def _refusal(self, url: str) -> str | None:
        """Return why this address is not fetched at all."""
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("http", "https") and httpx.URL(url).host and parts.port != 0
        except (ValueError, httpx.InvalidURL):
            known = False
        if not known:
            return f"{bare(url)!r} is no http address"
        if "@" in parts.netloc:
            return f"{bare(url)!r} came with a name or a password, which is not sent"
        if self._may_be_private(parts.netloc):
            return None
        if parts.port is not None and parts.port < _FIRST_FREE_PORT and parts.port not in _WEB_PORTS:
            return f"port {parts.port} is none of the web; allow_private allows it"
        if _is_private(parts.hostname or ""):
            return f"{parts.hostname} is an address of a private network; allow_private allows it"
        return None

    def _may_be_private(self, netloc: str) -> bool:
        return self._manners.allow_private or netloc in self._trusted

    def _forbidden(self, url: str) -> str | None:
        parts = urlsplit(url)
        robots = self._robots(f"{parts.scheme}://{parts.netloc}")
        return None if robots.can_fetch(url, self._agent) else f"robots.txt of {parts.netloc} forbids it"

    def _host(self, origin: str) -> _Host:
        return self._hosts.setdefault(origin, _Host())

    def _robots(self, origin: str) -> Protego:
        host = self._host(origin)
        if host.robots is None or self._clock.monotonic() >= host.robots_until:
            answer = self._follow(f"{origin}/robots.txt", {}, ask_robots=False, limit=_ROBOTS_BYTES)
            if answer.status >= 500:
                raise RetryLater(f"robots.txt of {origin} answered {answer.status}: no permission yet")
            # Any other answer than one with rules means that there are none (RFC 9309, 2.3.1.3).
            text = answer.body.decode("utf-8", errors="replace") if answer.status == 200 else ""
            host.robots = Protego.parse(text)
            host.robots_until = self._clock.monotonic() + _ROBOTS_LIFE_S
        return host.robots

    def _one(self, url: str, headers: Mapping[str, str], limit: int) -> Response:
        """Return the answer of one request, once the host's turn has come."""
        parts = urlsplit(url)
        host = self._host(f"{parts.scheme}://{parts.netloc}")
        with host.lock:
            self._await_turn(host)
            try:
                response = self._ask(url, headers, limit)
            except PrivateAddress:
                # It was public when it was looked up, and is not any more: its name was bound anew.
                return Response(0, url, {"x-error": f"{url} leads into a private network"}, b"")
            except _Unreachable as failure:
                self._silence(host, failure, _DEAD_HOST_S)
                raise
            finally:
                host.free_at = self._clock.monotonic() + self._pause(host)
            self._heed(host, parts.netloc, response)
        return response

    def _heed(self, host: _Host, netloc: str, response: Response) -> None:
        """Raise `RetryLater` when the answer asks for silence, and remember for how long."""
        asked = response.headers.get("retry-after")
        if response.status == _TOO_MANY or (response.status == _UNAVAILABLE and asked is not None):
            seconds = _retry_after(asked, self._clock.now())
            said = f"{netloc} answered {response.status}: ask again in {seconds:.0f} s"
            failure = RetryLater(said, after_seconds=seconds)
            self._silence(host, failure, seconds)
            raise failure

    def _await_turn(self, host: _Host) -> None:
        now = self._clock.monotonic()
        left = host.silent_until - now
        if host.silence is not None and left > 0 and (left > _LONGEST_SLEEP_S or host.silence.after_seconds is None):
            asked = host.silence.after_seconds is not None
            raise RetryLater(str(host.silence), after_seconds=left if asked else None)
        if (wait := max(left, host.free_at - now)) > 0:
            self._clock.sleep(wait)

    def _silence(self, host: _Host, why: RetryLater, seconds: float) -> None:
        host.silence = why
        host.silent_until = self._clock.monotonic() + seconds

    def _pause(self, host: _Host) -> float:
        asked = host.robots.crawl_delay(self._agent) if host.robots else None
        return max(self._manners.delay, min(float(asked or 0), _LONGEST_SLEEP_S))

    def _ask(self, url: str, headers: Mapping[str, str], limit: int) -> Response:
        client = self._clients[self._may_be_private(urlsplit(url).netloc)]
        with _foreign_errors(url), client.stream("GET", url, headers=dict(headers)) as answer:
            encoding = answer.headers.get("content-encoding", "")
            chunks = inflate(self._in_time(answer.iter_raw(), url), encoding, limit)
            body = b"".join(chunks)
            return Response(answer.status_code, url, dict(answer.headers), body[:limit], len(body) > limit)

    def _in_time(self, chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
        deadline = self._clock.monotonic() + self._timeout
        for chunk in chunks:
            if self._clock.monotonic() > deadline:
                raise RetryLater(f"{url} was still answering after {self._timeout:.0f} s")
            yield chunk


@cache
def _certificates() -> ssl.SSLContext:
    """Return the trusted certificates, or those SSL_CERT_FILE names; reading them takes a tenth of a second."""
    return httpx.create_ssl_context()


@contextmanager
def _foreign_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise _Unreachable(f"{url} cannot be reached: {error}") from error
    except (httpx.HTTPError, OSError, Broken) as error:
        raise RetryLater(f"{url} cannot be fetched: {type(error).__name__} {error}".strip()) from error


def _is_private(host: str) -> bool:
    """Tell whether the name leads, by any of its addresses, into a network that is not public."""
    try:
        return not all(map(is_public, addresses(host)))
    except (OSError, UnicodeError):
        return False  # cannot be resolved: the request itself will say so


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
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - now).total_seconds()), _LONGEST_WAIT_S)
