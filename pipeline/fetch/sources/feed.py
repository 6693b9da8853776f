"""RSS and Atom over HTTP, and the pages they link to.

A feed that has not changed is not read (ETag, Last-Modified), nor is a page; an entry whose fields changed
has its page read again. What leaves the feed's window leaves the cursor, so that it stays small.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urljoin

import feedparser
import msgspec

from pipeline.errors import Flaw, RetryLater
from pipeline.events import RawArticle, Withdrawn
from pipeline.fetch.catalogue import Source
from pipeline.fetch.haul import Context, Spoiled, Step, forgotten, spoiled_body
from pipeline.fetch.page import canonical_of
from pipeline.identity import article_id
from pipeline.ports import Response

_FEED_KEY = "feed"
# A document type is how XML bombs and outside entities come in; no feed needs one.
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)\b(?!\s+html)", re.IGNORECASE)
_OK, _NOT_MODIFIED, _GONE = 200, 304, 410


class _Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a feed or of one entry."""

    etag: str | None = None
    modified: str | None = None
    entry: str = ""
    """Hash of the entry's own fields."""
    article_id: str = ""


class _Entry(NamedTuple):
    key: str
    link: str
    title: str | None
    authors: tuple[str, ...]
    published_at: datetime | None
    mark: str


def steps(source: Source, cursor: Mapping[str, str], context: Context) -> Iterator[Step]:
    """Yield the articles of new and changed entries. Raises `RetryLater` when the feed cannot be had."""
    known = _read_mark(cursor.get(_FEED_KEY))
    if context.window is not None:
        known = _Mark()
    response = context.fetcher.get(source.url or "", etag=known.etag, last_modified=known.modified)
    if response.status == _NOT_MODIFIED:
        return
    if response.status != _OK:
        raise RetryLater(f"{source.url} answered {response.status} {response.headers.get('x-error', '')}".strip())
    seen = {_FEED_KEY}
    missed = False
    for page in _pages(source, context, response):
        if isinstance(page, Spoiled):
            yield Step(page, page.position, None)
            continue
        for entry in page:
            seen.add(entry.key)
            step = _entry_step(source, entry, _read_mark(cursor.get(entry.key)), context)
            missed = missed or (step is not None and step.remember is None)
            if step is not None:
                yield step
    yield from forgotten(list(cursor), seen)
    # Remembered only when every page was had: else the feed must be read again although it did not change.
    if not missed:
        yield Step(None, _FEED_KEY, _write_mark(_marked(response)))


def _pages(source: Source, context: Context, response: Response) -> Iterator[list[_Entry] | Spoiled]:
    """Yield the entries of the feed and of the pages behind it, and what of them could not be read."""
    for _ in range(source.pages):
        flaw, parsed = _parse(response)
        if flaw is not None:
            yield Spoiled(flaw, response.url, response.body, len(response.body))
        if parsed is None:
            return
        yield [entry for raw in parsed.entries if (entry := _entry(raw, response.url))]
        following = [link.get("href") for link in parsed.feed.get("links", ()) if link.get("rel") == "next"]
        if not following or not following[0]:
            return
        response = context.fetcher.get(urljoin(response.url, following[0]))
        if response.status != _OK:
            return


def _parse(response: Response) -> tuple[Flaw | None, Any]:
    """Return what is wrong with the feed, and what could be read of it all the same."""
    if response.truncated:
        return Flaw("oversize", f"the feed passes {len(response.body)} bytes"), None
    if _DOCTYPE.search(response.body):
        return Flaw("hostile_xml", "the feed declares a document type or entities"), None
    # No content type is given: the XML declaration must beat a bare text/xml (RFC 3023 would not let it).
    parsed = feedparser.parse(response.body, sanitize_html=False)
    if parsed.bozo and not isinstance(parsed.bozo_exception, feedparser.CharacterEncodingOverride):
        flaw = Flaw("malformed_xml", f"the feed is no well-formed XML: {parsed.bozo_exception}")
        return flaw, parsed if parsed.entries else None
    return None, parsed


def _entry(raw: Any, base: str) -> _Entry | None:
    link = raw.get("link")
    if not link:
        return None
    moment = raw.get("published_parsed") or raw.get("updated_parsed")
    fields = [raw.get(name, "") for name in ("id", "link", "title", "updated", "published", "summary")]
    authors = tuple(a["name"] for a in raw.get("authors", ()) if a.get("name"))
    return _Entry(
        key=str(raw.get("id") or link),
        link=urljoin(base, link),
        title=raw.get("title") or None,
        authors=authors,
        published_at=datetime(*moment[:6], tzinfo=UTC) if moment else None,
        mark=hashlib.sha256("\x1f".join(map(str, fields)).encode()).hexdigest()[:16],
    )


def _entry_step(source: Source, entry: _Entry, known: _Mark, context: Context) -> Step | None:
    """Return what one entry gives; None when there is nothing new to say about it."""
    if not context.wants(entry.published_at):
        return None
    fresh = known.entry == entry.mark and context.window is None
    if fresh and not (known.etag or known.modified):
        return None
    try:
        response = context.fetcher.get(
            entry.link,
            etag=known.etag if context.window is None else None,
            last_modified=known.modified if context.window is None else None,
        )
    except RetryLater:
        return Step(None, entry.key, None)
    if response.status == _NOT_MODIFIED:
        return Step(None, entry.key, _write_mark(msgspec.structs.replace(known, entry=entry.mark)))
    if response.status == _GONE and known.article_id:
        gone = Withdrawn(
            article_id=known.article_id,
            revision=0,
            source=source.name,
            url=entry.link,
            reason="410 Gone",
            fetched_at=context.now,
        )
        return Step(gone, entry.key, _write_mark(_Mark(entry=entry.mark)))
    if response.status == 0:
        reason = response.headers.get("x-error", "our own rules")
        return Step(
            Spoiled(Flaw("forbidden", f"not fetched: {reason}"), entry.link, b"", 0),
            entry.key,
            _write_mark(_Mark(entry=entry.mark)),
        )
    if response.status != _OK:
        return Step(None, entry.key, None)
    return _page_step(source, entry, response, context)


def _page_step(source: Source, entry: _Entry, response: Response, context: Context) -> Step:
    media_type, _, rest = response.headers.get("content-type", "text/html").partition(";")
    charset = re.search(r"charset\s*=\s*[\"']?([\w-]+)", rest)
    url = canonical_of(response.body, response.url)
    own = article_id(url=url)
    mark = _write_mark(msgspec.structs.replace(_marked(response), entry=entry.mark, article_id=own))
    size = len(response.body) + 1 if response.truncated else None
    if bad := spoiled_body(response.body, response.url, size=size, article_id=own):
        return Step(bad, entry.key, mark)
    raw = RawArticle(
        article_id=own,
        source=source.name,
        url=url,
        position=response.url,
        body=response.body,
        media_type=media_type.strip() or "text/html",
        charset=charset[1] if charset else None,
        title=entry.title,
        authors=entry.authors,
        published_at=entry.published_at,
        published_precision="instant" if entry.published_at else None,
        fetched_at=context.now,
    )
    return Step(raw, entry.key, mark)


def _marked(response: Response) -> _Mark:
    return _Mark(etag=response.headers.get("etag"), modified=response.headers.get("last-modified"))


def _read_mark(text: str | None) -> _Mark:
    return msgspec.json.decode(text, type=_Mark) if text else _Mark()


def _write_mark(mark: _Mark) -> str:
    return msgspec.json.encode(mark).decode()
