"""One fetched record → its one outcome, and the enriched record if it becomes one: normalise and enrich in a row."""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from pipeline import codec
from pipeline.errors import DepecheError, Flaw
from pipeline.events import ArticleState, Event, Payload
from pipeline.flow import ENRICHED
from pipeline.outcome import Outcome, Unchanged
from pipeline.ports import Clock, Record
from pipeline.store.outcomes import InputOutcome
from pipeline.transform import LARGEST_VALUE, handled


class Handle(Protocol):
    """A step's pure function, and the instant it takes for the present."""

    def __call__(self, batch: Sequence[Event], states: Mapping[str, ArticleState], now: datetime) -> list[Outcome]: ...


class Steps(NamedTuple):
    """What is done with a fetched article. `normalise` is told the instant of its fetch: what was in the future on
    that day is so in every replay. `enrich` is told the present."""

    normalise: Handle
    enrich: Handle


class Reader:
    """Takes fetched records through the steps."""

    def __init__(self, steps: Steps, clock: Clock) -> None:
        self._steps = steps
        self._clock = clock

    def outcome(self, record: Record, states: dict[str, ArticleState]) -> tuple[InputOutcome, Record | None]:
        """Return what becomes of a fetched record, and the enriched one if it becomes one."""
        event = codec.decode(record)
        if isinstance(event, Flaw):
            return _rejected(record, None, "normalise", event), None
        now = event.envelope.time
        article = self._one(self._steps.normalise, event, states, now)
        if isinstance(article, Flaw):
            return _rejected(record, event, "normalise", article), None
        if isinstance(article, Unchanged):
            return _told(record, event, "unchanged", article.state), None
        wire = _wire(article.data, event, now)
        if isinstance(wire, Flaw):
            return _rejected(record, event, "normalise", wire), None
        normalised = codec.envelope(article.data, time=now, cause=event.envelope)
        now = self._clock.now()
        enriched = self._one(self._steps.enrich, Event(normalised, article.data), {}, now)
        if isinstance(enriched, Flaw):
            return _rejected(record, event, "enrich", enriched, article.state), None
        if isinstance(enriched, Unchanged):
            raise DepecheError("enrich said that an article is unchanged; only normalise remembers articles")
        wire = _wire(enriched.data, Event(normalised, article.data), now)
        if isinstance(wire, Flaw):
            return _rejected(record, event, "enrich", wire, article.state), None
        made = Record(ENRICHED, record.partition, record.offset, record.timestamp, *wire)
        return _told(record, event, "emitted", article.state), made

    def _one(self, handle: Handle, event: Event, states: dict[str, ArticleState], now: datetime) -> Outcome:
        fresh: dict[str, ArticleState] = {}
        (one,) = handled(lambda batch, known: handle(batch, known, now), [event], ChainMap(fresh, states))
        return one.outcome


def _wire(data: Payload, cause: Event, now: datetime) -> codec.Wire | Flaw:
    """Return the event as it would be written to the log, or why the log would not take it."""
    try:
        wire = codec.encode(Event(codec.envelope(data, time=now, cause=cause.envelope), data))
    except ValueError as error:
        return Flaw("bug", f"its own schema forbids what came out: {error}")
    if len(wire.value) > LARGEST_VALUE:
        return Flaw("oversize", f"the result has {len(wire.value)} bytes; {LARGEST_VALUE} fit")
    return wire


def _told(record: Record, event: Event, outcome: str, state: ArticleState | None) -> InputOutcome:
    return InputOutcome(record.offset, record.timestamp, event.envelope.id, outcome, state=state)


def _rejected(
    record: Record, event: Event | None, stage: str, flaw: Flaw, state: ArticleState | None = None
) -> InputOutcome:
    own = event.envelope.id if event else None
    return InputOutcome(record.offset, record.timestamp, own, "rejected", stage, flaw.reason, flaw.detail, state)
