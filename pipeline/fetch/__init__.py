"""Where articles come from: `pull` reads one source from its cursor on, in hauls that are committed whole."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from pipeline.events import SourceState
from pipeline.fetch.catalogue import Source
from pipeline.fetch.haul import Context, Haul, Item, Spoiled, hauls
from pipeline.fetch.sources import KINDS
from pipeline.ports import Fetcher, ObjectStore

__all__ = ["KINDS", "Haul", "Item", "Source", "SourceReport", "Spoiled", "pull"]


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one pull of one source."""

    source: str
    ok: bool
    items: int
    withdrawn: int
    rejected: int
    seconds: float
    error: str | None = None


def pull(
    source: Source,
    state: SourceState | None,
    *,
    fetcher: Fetcher,
    files: ObjectStore,
    now: datetime,
    window: tuple[datetime, datetime] | None = None,
) -> Iterator[Haul]:
    """Yield what is new or changed since `state`, in hauls of bounded size, each with the cursor after it.

    With a `window` the cursor is not asked: everything published in [start, end), or without a date, is read
    again; the step behind recognises what it knows. Raises `RetryLater` when the source cannot be reached.
    """
    context = Context(fetcher, files, now, window)
    cursor = state.cursor if state else {}
    return hauls(source, state, KINDS[source.kind](source, cursor, context), now)
