"""Sources to log: each haul of a source and its new cursor are one transaction.

Promise: a pull that is killed anywhere is resumed by the next one, without a lost or a doubled article. A
source that cannot be reached fails alone: its report says why, its cursor stays, and the others go on.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import structlog

from pipeline import codec
from pipeline.errors import Flaw, RetryLater
from pipeline.events import Event, Payload, Rejected, SourceState, Withdrawn
from pipeline.fetch import Haul, SourceReport, Spoiled
from pipeline.fetch.catalogue import Source
from pipeline.flow import FETCHED, SOURCE_STATE, rejected
from pipeline.ports import Clock, LogBrowser, Message

log = structlog.get_logger(__name__)

_LARGEST_ORIGINAL = 8 * 2**20


class Writer(Protocol):
    """Writes messages in one transaction."""

    def write(self, messages: Sequence[Message]) -> None: ...
    def close(self) -> None: ...


def remembered(browser: LogBrowser) -> dict[str, SourceState]:
    """Return the newest state of each source."""
    states = {}
    for partition, (start, end) in browser.bounds(SOURCE_STATE).items():
        for record in browser.read(partition, start, end):
            event = codec.decode(record)
            if not isinstance(event, Flaw) and isinstance(event.data, SourceState):
                states[event.data.source] = event.data
    return states


def pull_source(
    source: Source,
    state: SourceState | None,
    *,
    pull: Callable[[Source, SourceState | None], Iterator[Haul]],
    writer: Writer,
    clock: Clock,
) -> SourceReport:
    """Pull one source into the log and report it. Raises `RetryLater` only when the log itself is down.

    `state` must have been read after `writer` fenced its earlier bearers, or a pull at the same time is doubled.
    """
    began = clock.monotonic()
    counts = {"items": 0, "withdrawn": 0, "rejected": 0, "missed": 0}
    hauls = pull(source, state)
    error: str | None = None
    while True:
        try:
            haul = next(hauls, None)
        except RetryLater as failure:
            error = str(failure)
            log.warning("source failed", source=source.name, reason=error)
            writer.write([_message(SOURCE_STATE, _failed(source, state, error, clock), clock)])
            break
        if haul is None:
            break
        writer.write([*(_item(source, item, clock) for item in haul.items), _message(SOURCE_STATE, haul.state, clock)])
        state = haul.state
        counts["missed"] += haul.missed
        for item in haul.items:
            counts[_kind(item)] += 1
    return SourceReport(
        source=source.name, ok=error is None, error=error, seconds=round(clock.monotonic() - began, 3), **counts
    )


def _kind(item: object) -> str:
    if isinstance(item, Spoiled):
        return "rejected"
    return "withdrawn" if isinstance(item, Withdrawn) else "items"


def _failed(source: Source, state: SourceState | None, error: str, clock: Clock) -> SourceState:
    return SourceState(
        source=source.name,
        cursor=state.cursor if state else {},
        fetched_at=clock.now(),
        error=error,
        succeeded_at=state.succeeded_at if state else None,
    )


def _item(source: Source, item: Payload | Spoiled, clock: Clock) -> Message:
    if not isinstance(item, Spoiled):
        return _message(FETCHED, item, clock)
    data = Rejected(
        reason=item.flaw.reason,
        detail=item.flaw.detail,
        stage="fetch",
        source=source.name,
        article_id=item.article_id,
        position=item.position,
        original=item.original[:_LARGEST_ORIGINAL],
        original_headers={},
        original_size=item.size,
        rejected_at=clock.now(),
    )
    return _message(rejected(FETCHED), data, clock)


def _message(topic: str, data: Payload, clock: Clock) -> Message:
    wire = codec.encode(Event(codec.envelope(data, time=clock.now(), cause=None), data))
    return Message(topic, wire.key, wire.headers, wire.value)
