"""RSS and Atom over HTTP, and the pages they link to.

Everything is asked for conditionally (ETag, Last-Modified): the feed, and each page it shows, so that an
article revised or withdrawn under the same entry is seen as well. What leaves the feed leaves the cursor.
"""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from pipeline.errors import Flaw, RetryLater
from pipeline.events import RawArticle, Withdrawn
from pipeline.fetch.catalogue import Source
from pipeline.fetch.feed_xml import Entry, FeedPage, charset_of, read_feed
from pipeline.fetch.haul import Context, Item, Kind, Spoiled, Step, forgotten, spoiled_body, true_size, waiting
from pipeline.fetch.page import canonical_of
from pipeline.identity import article_id
from pipeline.ports import Response

_FEED_KEY = "feed"
_ENTRY = "entry "
_PAGE_TYPES = ("text/html", "application/xhtml+xml", "text/plain")
_REFUSED, _OK, _NOT_MODIFIED, _GONE = 0, 200, 304, 410


class _FeedNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of the feed itself."""

    sha256: str = ""
    etag: str | None = None
    last_modified: str | None = None


class _EntryNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of an entry: as the feed showed it, and how its page was found."""

    entry: Entry
    etag: str | None = None
    last_modified: str | None = None
    article_id: str | None = None
    pending: bool = False
    """The page could not be had, or was not asked for yet."""
    closed: bool = False
    """Withdrawn or forbidden: not asked for again until the entry changes."""


class _Walk:
    """One pull of one feed: what it knows, and how many pages it may still ask for."""

    def __init__(self, source: Source, cursor: Mapping[str, str], context: Context) -> None:
        self.source = source
        self.context = context
        self.left = source.max_items
        self.known = {
            key.removeprefix(_ENTRY): msgspec.json.decode(note, type=_EntryNote)
            for key, note in cursor.items()
            if key.startswith(_ENTRY)
        }
        note = cursor.get(_FEED_KEY)
        fresh = context.window is not None or note is None
        self.feed = _FeedNote() if fresh else msgspec.json.decode(note or "", type=_FeedNote)


def steps(source: Source, cursor: Mapping[str, str], context: Context) -> Iterator[Step]:
    """Yield the articles of new and changed pages. Raises `RetryLater` when the feed cannot be had."""
    walk = _Walk(source, cursor, context)
    response = context.fetcher.get(source.url or "", etag=walk.feed.etag, last_modified=walk.feed.last_modified)
    if response.status not in (_OK, _NOT_MODIFIED):
        said = response.headers.get("x-error", f"answered {response.status}")
        raise RetryLater(f"{source.url}: {said}")
    digest = hashlib.sha256(response.body).hexdigest()
    if response.status == _NOT_MODIFIED or digest == walk.feed.sha256:
        for note in walk.known.values():
            yield from _visit(walk, note.entry)
        return
    kept = {_FEED_KEY}
    whole = True
    for page in _pages(walk, response):
        whole = whole and page.whole
        yield from (Step(spoiled) for spoiled in page.spoiled)
        for entry in page.entries:
            if _ENTRY + entry.key not in kept:
                kept.add(_ENTRY + entry.key)
                yield from _visit(walk, entry)
    if whole:
        yield from forgotten(cursor, kept)
    tag, modified = _validators(response)
    yield Step(notes={_FEED_KEY: _text(_FeedNote(digest, tag, modified))})


def _pages(walk: _Walk, response: Response) -> Iterator[FeedPage]:
    """Yield the feed's documents, following `rel=next` so far as the source allows."""
    asked = {response.url}
    for number in range(1, walk.source.pages + 1):
        page = read_feed(response)
        yield page
        if page.following is None or page.following in asked or number == walk.source.pages:
            return
        asked.add(page.following)
        try:
            response = walk.context.fetcher.get(page.following)
        except RetryLater:
            response = Response(_REFUSED, page.following, {}, b"")
        if response.status != _OK:
            yield FeedPage((), whole=False)
            return


def _visit(walk: _Walk, entry: Entry) -> Iterator[Step]:
    """Yield what one entry gives: an article, a withdrawal, a page that cannot be one, or only notes."""
    if not walk.context.wants(entry.published_at):
        return
    note = walk.known.get(entry.key)
    if walk.context.window is None and note is not None and _settled(note, entry):
        return
    note = msgspec.structs.replace(note, entry=entry) if note else _EntryNote(entry)
    if walk.left <= 0:
        yield Step(notes=_noted(note, pending=True))
        return
    walk.left -= 1
    conditional = walk.context.window is None
    try:
        response = walk.context.fetcher.get(
            entry.link,
            etag=note.etag if conditional else None,
            last_modified=note.last_modified if conditional else None,
        )
    except RetryLater as failure:
        yield Step(None, _noted(note, pending=True) | waiting(failure, walk.context.now), missed=1)
        return
    yield _answered(walk, note, response)


def _settled(note: _EntryNote, entry: Entry) -> bool:
    """Tell whether nothing can be new: the entry is as it was, and its page cannot be asked conditionally."""
    same = note.entry.mark == entry.mark and not note.pending
    return same and (note.closed or (note.etag is None and note.last_modified is None))


def _answered(walk: _Walk, note: _EntryNote, response: Response) -> Step:
    if response.status == _OK:
        return _read(walk, note, response)
    if response.status == _NOT_MODIFIED:
        return Step(notes=_noted(note, pending=False))
    if response.status == _GONE:
        gone = None if note.article_id is None else _withdrawn(walk, note, note.article_id)
        return Step(gone, _noted(note, closed=True, pending=False, etag=None, last_modified=None))
    if response.status == _REFUSED:
        flaw = Flaw("forbidden", f"not fetched: {response.headers.get('x-error', 'our own rules forbid it')}")
        return Step(Spoiled(flaw, note.entry.link, b"", 0, note.article_id), _noted(note, closed=True, pending=False))
    return Step(None, _noted(note, pending=True), missed=1)


def _withdrawn(walk: _Walk, note: _EntryNote, own: str) -> Withdrawn:
    return Withdrawn(
        article_id=own,
        revision=0,
        source=walk.source.name,
        url=note.entry.link,
        reason="410 Gone",
        fetched_at=walk.context.now,
    )


def _read(walk: _Walk, note: _EntryNote, response: Response) -> Step:
    url = canonical_of(response.body, response.url)
    own = article_id(url=url)
    tag, modified = _validators(response)
    notes = _noted(note, etag=tag, last_modified=modified, article_id=own, pending=False, closed=False)
    bad = spoiled_body(response.body, response.url, size=true_size(response), article_id=own)
    return Step(bad or _article(walk, note.entry, response, url), notes)


def _article(walk: _Walk, entry: Entry, response: Response, url: str) -> Item:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower() or _PAGE_TYPES[0]
    own = article_id(url=url)
    if media_type not in _PAGE_TYPES:
        flaw = Flaw("not_an_article", f"the entry links to {media_type}, no page")
        return Spoiled(flaw, response.url, response.body, len(response.body), own)
    return RawArticle(
        article_id=own,
        source=walk.source.name,
        url=url,
        position=response.url,
        body=response.body,
        media_type=media_type,
        charset=charset_of(response),
        title=entry.title,
        authors=entry.authors,
        published_at=entry.published_at,
        published_precision="instant" if entry.published_at else None,
        fetched_at=walk.context.now,
    )


def _validators(response: Response) -> tuple[str | None, str | None]:
    return response.headers.get("etag"), response.headers.get("last-modified")


def _noted(note: _EntryNote, **changes: str | bool | None) -> dict[str, str]:
    return {_ENTRY + note.entry.key: _text(msgspec.structs.replace(note, **changes))}


def _text(note: msgspec.Struct) -> str:
    return msgspec.json.encode(note).decode()


KIND = Kind(needs="url", steps=steps)
