"""What a source gives: articles, what could not be read, and where to go on next time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from pipeline.errors import Flaw
from pipeline.events import RawArticle, SourceState, Withdrawn
from pipeline.fetch.catalogue import Source
from pipeline.ports import Fetcher, ObjectStore

MAX_BODY_BYTES = 10 * 2**20
KEPT_BYTES = 2**20
"""Of a body past the limit, this much is kept; its position says where the rest is."""
_MOST_ITEMS = 50
_MOST_BYTES = 10 * 2**20


class Spoiled(NamedTuple):
    """An item that cannot become an article: why, where it stood, and its bytes (`size` of them in all)."""

    flaw: Flaw
    position: str
    original: bytes
    size: int
    article_id: str | None = None


Item = RawArticle | Withdrawn | Spoiled


class Haul(NamedTuple):
    """Items and the cursor that goes with them: they are written together or not at all."""

    items: tuple[Item, ...]
    state: SourceState


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
    """One item, or none, and what to remember so that it need not be read again (None forgets)."""

    item: Item | None
    key: str
    remember: str | None


def hauls(source: Source, state: SourceState | None, steps: Iterator[Step], now: datetime) -> Iterator[Haul]:
    """Group steps into hauls of bounded size; the last one says that the pull ended well."""
    cursor = dict(state.cursor) if state else {}
    last_success = state.succeeded_at if state else None
    items: list[Item] = []
    size = 0
    for step in steps:
        if step.remember is None:
            cursor.pop(step.key, None)
        else:
            cursor[step.key] = step.remember
        if step.item is None:
            continue
        items.append(step.item)
        size += _size(step.item)
        if len(items) >= _MOST_ITEMS or size >= _MOST_BYTES:
            yield Haul(tuple(items), _state(source, cursor, now, last_success))
            items, size = [], 0
    yield Haul(tuple(items), _state(source, cursor, now, now))


def _size(item: Item) -> int:
    if isinstance(item, RawArticle):
        return len(item.body)
    return len(item.original) if isinstance(item, Spoiled) else 0


def _state(source: Source, cursor: dict[str, str], now: datetime, succeeded_at: datetime | None) -> SourceState:
    return SourceState(source=source.name, cursor=dict(cursor), fetched_at=now, succeeded_at=succeeded_at)


def spoiled_body(body: bytes, position: str, *, size: int | None = None, article_id: str | None = None) -> Spoiled | None:
    """Return why a body cannot be an article at all: it is empty or too large."""
    whole = len(body) if size is None else size
    if whole > MAX_BODY_BYTES:
        flaw = Flaw("oversize", f"{whole} bytes; a body may have {MAX_BODY_BYTES}")
        return Spoiled(flaw, position, body[:KEPT_BYTES], whole, article_id)
    if not body.strip():
        return Spoiled(Flaw("empty", "there are no bytes but blanks"), position, body, whole, article_id)
    return None


def forgotten(cursor: Sequence[str], seen: set[str]) -> Iterator[Step]:
    """Yield the steps that drop what the source does not show any more, so that the cursor stays small."""
    for key in cursor:
        if key not in seen:
            yield Step(None, key, None)
