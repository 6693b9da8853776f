"""Log to log: a batch of events in, exactly one outcome for each out, in one transaction.

Promise: each committed input has exactly one outcome (next event, unchanged, or `Rejected`) visible
downstream, through kills, restarts and rebalances. The commit steps:

1. decode the records and hand them to the step's pure function,
2. encode its outcomes,
3. write outcomes, what the step remembers, and the new positions in one transaction,
4. remember the new states locally.

A crash before 3 ends leaves nothing behind; after it, everything is there. On assignment, what the step
remembers is read back from its compacted topic before the first record is handled.
"""

import traceback
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from pipeline import codec
from pipeline.errors import DepecheError, Flaw
from pipeline.events import ArticleState, Envelope, Event, Payload, Rejected
from pipeline.flow import Step, rejected
from pipeline.outcome import Emitted, Outcome, Unchanged
from pipeline.ports import Clock, EventLog, LogBrowser, Message, Partition, Record

log = structlog.get_logger(__name__)

# Room for the envelope and base64 within Kafka's limit of 16 MiB per message.
LARGEST_VALUE = 15 * 2**20
_LARGEST_ORIGINAL = 8 * 2**20
_States = Mapping[str, ArticleState]


class Handle(Protocol):
    """A step's pure function: one outcome per event, in the same order."""

    def __call__(self, batch: Sequence[Event], states: _States) -> Sequence[Outcome]: ...


class Handled(NamedTuple):
    """What a step made of one event, and how that is written."""

    outcome: Outcome
    messages: tuple[Message, ...] = ()


class _Done(NamedTuple):
    record: Record
    cause: Envelope | None
    handled: Handled


Written = Callable[[Event, Outcome], tuple[Message, ...] | Flaw]


def handled(
    handle: Handle,
    batch: Sequence[Event],
    states: ChainMap[str, ArticleState],
    written: Written = lambda *_: (),
) -> list[Handled]:
    """Return the step's outcomes, noting in `states` what it is to remember.

    A record that makes the step fail, or whose outcome cannot be written, is isolated by halving the batch: those
    behind it are handled again without what it would have left behind.
    """
    if not batch:
        return []
    try:
        outcomes = list(handle(batch, states))
        messages = [written(event, outcome) for event, outcome in zip(batch, outcomes, strict=True)]
        flaw = next((each for each in messages if isinstance(each, Flaw)), None)
    except DepecheError:
        raise
    except Exception as bug:  # noqa: BLE001 - whatever a bug raises, the other records go on
        flaw = Flaw("bug", f"{type(bug).__name__}: {bug}", traceback.format_exc())
    if flaw is not None:
        if len(batch) == 1:
            return [Handled(flaw)]
        half = len(batch) // 2
        return handled(handle, batch[:half], states, written) + handled(handle, batch[half:], states, written)
    for outcome in outcomes:
        if not isinstance(outcome, Flaw) and outcome.state is not None:
            states[outcome.state.article_id] = outcome.state
    return [Handled(o, m) for o, m in zip(outcomes, messages, strict=True) if not isinstance(m, Flaw)]


class Transform:
    """The job of a step that reads one topic and writes the next."""

    def __init__(
        self,
        step: Step,
        handle: Handle,
        *,
        open_log: Callable[["Transform"], EventLog],
        browser: LogBrowser,
        clock: Clock,
    ) -> None:
        self._step = step
        self._handle = handle
        self._browser = browser
        self._clock = clock
        self._states: dict[int, dict[str, ArticleState]] = {}
        self._read_from: set[Partition] = set()
        self.counts = {"emitted": 0, "unchanged": 0, "rejected": 0}
        self.log = open_log(self)

    # Rebalance

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Read back what is remembered of these partitions; the group's positions are right."""
        if partitions and self._step.remembers is not None:
            bounds = self._browser.bounds(self._step.remembers)
            for partition in partitions:
                of = Partition(self._step.remembers, partition.number)
                self._states[partition.number] = self._remembered(of, *bounds[of])
        return {}

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Every batch is committed before the next poll, so nothing is buffered."""
        self.lost(partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Forget what belongs to the new owner."""
        for partition in partitions:
            self._states.pop(partition.number, None)
            self._read_from.discard(partition)

    def _remembered(self, partition: Partition, start: int, end: int) -> dict[str, ArticleState]:
        states = {}
        for record in self._browser.read(partition, start, end):
            event = codec.decode(record)
            if isinstance(event, Flaw) or not isinstance(event.data, ArticleState):
                raise DepecheError(f"{partition.topic}[{partition.number}]@{record.offset} is no article state")
            states[event.data.article_id] = event.data
        log.info("states read back", topic=partition.topic, partition=partition.number, articles=len(states))
        return states

    # Job

    def work(self, records: Sequence[Record]) -> None:
        """Take one batch through steps 1 to 4."""
        if not records:
            return
        self._read_from |= {Partition(record.topic, record.partition) for record in records}
        done = self._decide(records)
        messages = [message for each in done for message in self._messages(each)]
        positions = {Partition(r.topic, r.partition): r.offset + 1 for r in records}
        self.log.commit(messages, positions)
        self._read_from.clear()
        for each in done:
            self._count(each)

    def rewind(self) -> None:
        """Read on from the last commit: a batch whose commit took effect, though no answer came, is not done again."""
        self.log.seek(dict.fromkeys(self._read_from))
        # What that commit said is to be remembered was not noted here either.
        self.assigned(sorted(self._read_from))
        self._read_from.clear()

    def finish(self) -> None:
        """Leave the group; nothing is buffered."""
        self.log.close()

    # Steps 1 and 2

    def _decide(self, records: Sequence[Record]) -> list[_Done]:
        """Return one outcome per record, in order. Records are handled partition by partition."""
        decided: dict[tuple[int, int], _Done] = {}
        for number in dict.fromkeys(r.partition for r in records):
            mine = [r for r in records if r.partition == number]
            events = [codec.decode(record) for record in mine]
            good = [event for event in events if not isinstance(event, Flaw)]
            states: ChainMap[str, ArticleState] = ChainMap({}, self._states.get(number, {}))
            outcomes = iter(handled(self._handle, good, states, partial(self._written, number)))
            for record, event in zip(mine, events, strict=True):
                if isinstance(event, Flaw):
                    decided[number, record.offset] = _Done(record, None, Handled(event))
                else:
                    decided[number, record.offset] = _Done(record, event.envelope, next(outcomes))
        return [decided[r.partition, r.offset] for r in records]

    def _written(self, partition: int, event: Event, outcome: Outcome) -> tuple[Message, ...] | Flaw:
        """Return the messages of an outcome that is no rejection, or why the log would not take them."""
        if isinstance(outcome, Flaw):
            return ()
        out = []
        if isinstance(outcome, Emitted):
            message = self._message(self._step.writes, outcome.data, event.envelope)
            if len(message.value) > LARGEST_VALUE:
                return Flaw("oversize", f"the result has {len(message.value)} bytes; {LARGEST_VALUE} fit")
            out.append(message)
        if outcome.state is not None and self._step.remembers is not None:
            state = self._message(self._step.remembers, outcome.state, event.envelope)
            out.append(state._replace(partition=partition))
        return tuple(out)

    def _messages(self, done: _Done) -> tuple[Message, ...]:
        outcome, messages = done.handled
        return (self._rejection(done, outcome),) if isinstance(outcome, Flaw) else messages

    def _rejection(self, done: _Done, flaw: Flaw) -> Message:
        record, cause, _ = done
        data = Rejected(
            reason=flaw.reason,
            detail=flaw.detail,
            stage=self._step.name,  # type: ignore[arg-type]  # a step's name is a stage
            source=None,
            article_id=record.key.decode(errors="replace") or None,
            position=f"{record.topic}[{record.partition}]@{record.offset}",
            original=record.value[:_LARGEST_ORIGINAL],
            original_headers={name: value.decode(errors="replace") for name, value in record.headers},
            original_size=len(record.value),
            traceback=flaw.traceback,
            rejected_at=self._clock.now(),
        )
        return self._message(rejected(record.topic), data, cause)

    def _message(self, topic: str, data: Payload, cause: Envelope | None) -> Message:
        event = Event(codec.envelope(data, time=self._clock.now(), cause=cause), data)
        wire = codec.encode(event)
        return Message(topic, wire.key, wire.headers, wire.value)

    # Step 4

    def _count(self, done: _Done) -> None:
        outcome = done.handled.outcome
        if isinstance(outcome, Flaw):
            self.counts["rejected"] += 1
            log.warning("rejected", reason=outcome.reason, detail=outcome.detail, offset=done.record.offset)
            return
        self.counts["unchanged" if isinstance(outcome, Unchanged) else "emitted"] += 1
        if outcome.state is not None and self._step.remembers is not None:
            self._states.setdefault(done.record.partition, {})[outcome.state.article_id] = outcome.state
