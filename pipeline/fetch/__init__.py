"""Where articles come from: `pull` reads one source from its cursor on, in hauls that are committed whole."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from pipeline.errors import RetryLater
from pipeline.events import SourceState
from pipeline.fetch.catalogue import Source, read_catalogue
from pipeline.fetch.haul import Context, Haul, Item, Kind, Spoiled, hauls, still_waiting
from pipeline.fetch.sources import KINDS
from pipeline.ports import Fetcher, ObjectStore

__all__ = ["KINDS", "Haul", "Item", "Kind", "Source", "SourceReport", "Spoiled", "pull", "read_catalogue"]


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one pull of one source."""

    source: str
    ok: bool
    items: int
    withdrawn: int
    rejected: int
    missed: int = 0
    """Pages that could not be had and are tried again by the next pull."""
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

    A pull that is cut off between two hauls is resumed by the next one from the last committed cursor. With a
    `window` the cursor is not asked and not moved: everything published in [start, end), or without a date, is
    read again, and the step behind recognises what it knows. Raises `RetryLater` when the source cannot be
    reached, or asked in an earlier run to be left alone for longer.
    """
    if until := still_waiting(state, now):
        raise RetryLater(f"{source.name} asked not to be asked before {until}")
    context = Context(fetcher, files, now, window)
    cursor = state.cursor if state else {}
    yield from hauls(source, state, KINDS[source.kind].steps(source, cursor, context), context)
