"""What a source gives: articles, what could not be read, and where to go on next time."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pipeline.errors import Flaw, RetryLater
from pipeline.events import RawArticle, SourceState, Withdrawn
from pipeline.fetch.catalogue import Source
from pipeline.ports import Fetcher, ObjectStore, Response

MAX_BODY_BYTES = 10 * 2**20
KEPT_BYTES = 2**20
"""Of a body past the limit, this much is kept; its position says where the rest is."""
_MOST_ITEMS = 50
_MOST_BYTES = 16 * 2**20
WAIT_KEY = "wait-until"
"""Cursor note of every kind: the site asked not to be asked before this instant."""


class Spoiled(NamedTuple):
    """An item that cannot become an article: why, where it stood, and its bytes (`size` of them in all)."""

    flaw: Flaw
    position: str
    original: bytes
    size: int
    article_id: str | None = None


Item = RawArticle | Withdrawn | Spoiled


class Haul(NamedTuple):
    """Items and the cursor that goes with them: they are written together or not at all.

    `missed` counts what could not be had this time (a page that answered 404 or 500) and is tried again.
    """

    items: tuple[Item, ...]
    state: SourceState
    missed: int = 0


class Context(NamedTuple):
    """What a source kind may use."""

    fetcher: Fetcher
    files: ObjectStore
    now: datetime
    window: tuple[datetime, datetime] | None

    def wants(self, published_at: datetime | None) -> bool:
        """Tell whether an article of this date is asked for; without a window, or a date, it is."""
        return self.window is None or published_at is None or self.window[0] <= published_at < self.window[1]


class Step(NamedTuple):
    """One item, or none, and the cursor's notes that change with it; a note of None is forgotten."""

    item: Item | None = None
    notes: Mapping[str, str | None] = {}
    missed: int = 0


class Kind(NamedTuple):
    """A kind of source: which location it reads, and how it walks from a cursor."""

    needs: Literal["path", "url"]
    steps: Callable[[Source, Mapping[str, str], Context], Iterator[Step]]


def hauls(source: Source, state: SourceState | None, steps: Iterator[Step], context: Context) -> Iterator[Haul]:
    """Group steps into hauls of bounded size; the last one says that the pull ended well.

    With a window the cursor stays as it was: what was left out of the window has still to be read. What a
    source gave before it failed is yielded before its `RetryLater` is raised.
    """
    cursor = {key: note for key, note in (state.cursor if state else {}).items() if key != WAIT_KEY}
    success = state.succeeded_at if state else None
    items: list[Item] = []
    size = missed = 0
    try:
        for step in steps:
            more = _size(step.item)
            if items and (len(items) >= _MOST_ITEMS or size + more > _MOST_BYTES):
                yield Haul(tuple(items), _state(source, cursor, context.now, success), missed)
                items, size, missed = [], 0, 0
            _note(cursor, step.notes, only_wait=context.window is not None)
            missed += step.missed
            if step.item is not None:
                items.append(step.item)
                size += more
    except RetryLater as failure:
        wait = waiting(failure, context.now)
        if items or wait or missed:
            yield Haul(tuple(items), _state(source, cursor | wait, context.now, success), missed)
        raise
    yield Haul(tuple(items), _state(source, cursor, context.now, context.now), missed)


def waiting(failure: RetryLater, now: datetime) -> dict[str, str]:
    """Return the cursor's note of how long the site asked for silence; empty when it did not."""
    if failure.after_seconds is None:
        return {}
    return {WAIT_KEY: (now + timedelta(seconds=failure.after_seconds)).isoformat()}


def still_waiting(state: SourceState | None, now: datetime) -> str | None:
    """Return until when the source asked, in an earlier run, not to be asked."""
    until = state.cursor.get(WAIT_KEY) if state else None
    return until if until is not None and now < datetime.fromisoformat(until) else None


def _note(cursor: dict[str, str], notes: Mapping[str, str | None], *, only_wait: bool) -> None:
    for key, note in notes.items():
        if only_wait and key != WAIT_KEY:
            continue
        if note is None:
            cursor.pop(key, None)
        else:
            cursor[key] = note


def _size(item: Item | None) -> int:
    if isinstance(item, RawArticle):
        return len(item.body)
    return len(item.original) if isinstance(item, Spoiled) else 0


def _state(source: Source, cursor: dict[str, str], now: datetime, succeeded_at: datetime | None) -> SourceState:
    return SourceState(source=source.name, cursor=dict(cursor), fetched_at=now, succeeded_at=succeeded_at)


def spoiled_body(
    body: bytes, position: str, *, size: int | None = None, article_id: str | None = None
) -> Spoiled | None:
    """Return why a body cannot be an article at all: it is empty or too large. `size` is its true size."""
    whole = len(body) if size is None else size
    if whole > MAX_BODY_BYTES:
        flaw = Flaw("oversize", f"{whole} bytes or more; a body may have {MAX_BODY_BYTES}")
        return Spoiled(flaw, position, body[:KEPT_BYTES], whole, article_id)
    if not body.strip(b" \t\r\n\f\v\0"):
        return Spoiled(Flaw("empty", "there are no bytes but blanks"), position, body, whole, article_id)
    return None


def true_size(response: Response) -> int:
    """Return the size of the whole body, as well as it is known when the body was cut at a limit."""
    told = response.headers.get("content-length", "")
    if not response.truncated:
        return len(response.body)
    return max(MAX_BODY_BYTES + 1, len(response.body) + 1, int(told) if told.isdecimal() else 0)


def forgotten(cursor: Mapping[str, str], kept: set[str]) -> Iterator[Step]:
    """Yield the step that drops what the source does not show any more, so that the cursor stays small."""
    gone: dict[str, str | None] = {key: None for key in cursor if key not in kept}
    if gone:
        yield Step(notes=gone)
