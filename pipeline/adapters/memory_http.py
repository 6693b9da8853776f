"""The memory twin of the HTTP fetcher: a web of pages in a dict, with the same manners. For tests."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from protego import Protego

from pipeline.errors import RetryLater
from pipeline.ports import Clock, Response

_MOST_REDIRECTS = 5
_TOO_MANY, _UNAVAILABLE = 429, 503


class Page(NamedTuple):
    """What stands at an address. Header names are lower-case."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}


class MemoryFetcher:
    """`Fetcher` over `pages` by address; hosts in `down` cannot be reached; `asked` lists what was asked for."""

    def __init__(
        self, clock: Clock, pages: Mapping[str, Page], *, user_agent: str = "depeche", max_bytes: int = 10 * 2**20
    ) -> None:
        self.pages = pages
        self.down: set[str] = set()
        self.asked: list[str] = []
        self._clock = clock
        self._agent = user_agent
        self._max_bytes = max_bytes
        self._silent_until: dict[str, float] = {}

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """See `Fetcher.get`."""
        for _ in range(_MOST_REDIRECTS + 1):
            if reason := self._refusal(url):
                return Response(0, url, {"x-error": reason}, b"")
            page = self._page(url)
            target = page.headers.get("location")
            if target is None or page.status // 100 != 3:
                return self._answer(url, page, etag, last_modified)
            url = urljoin(url, target)
        return Response(0, url, {"x-error": f"more than {_MOST_REDIRECTS} redirects"}, b"")

    def _answer(self, url: str, page: Page, etag: str | None, last_modified: str | None) -> Response:
        same = etag == page.headers.get("etag") if etag else last_modified == page.headers.get("last-modified")
        if (etag or last_modified) and same and page.status == 200:
            return Response(304, url, page.headers, b"")
        cut = page.body[: self._max_bytes]
        return Response(page.status, url, page.headers, cut, len(page.body) > self._max_bytes)

    def _refusal(self, url: str) -> str | None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return f"{url!r} is no http address"
        robots = self._page(f"{parts.scheme}://{parts.netloc}/robots.txt")
        if robots.status >= 500:
            raise RetryLater(f"robots.txt of {parts.netloc} answered {robots.status}: no permission yet")
        rules = Protego.parse(robots.body.decode() if robots.status == 200 else "")
        return None if rules.can_fetch(url, self._agent) else f"robots.txt of {parts.netloc} forbids it"

    def _page(self, url: str) -> Page:
        host = urlsplit(url).netloc
        if host in self.down:
            raise RetryLater(f"{url} cannot be reached")
        left = self._silent_until.get(host, 0.0) - self._clock.monotonic()
        if left > 0:
            raise RetryLater(f"{host} asked not to be asked", after_seconds=left)
        self.asked.append(url)
        page = self.pages.get(url, Page(status=404))
        wait = page.headers.get("retry-after")
        if page.status == _TOO_MANY or (page.status == _UNAVAILABLE and wait is not None):
            seconds = float(wait or 60)
            self._silent_until[host] = self._clock.monotonic() + seconds
            raise RetryLater(f"{host} answered {page.status}: ask again in {seconds:.0f} s", after_seconds=seconds)
        return page
