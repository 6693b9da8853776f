"""A whole line in memory: one broker, one store, one clock, and workers that can be run, killed and restarted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pipeline import codec, flow
from pipeline.adapters.memory import MemoryBroker, MemoryBrowser, MemoryClock, MemoryLog, MemoryWriter
from pipeline.adapters.memory_model import MemoryModel
from pipeline.adapters.memory_store import MemoryStore
from pipeline.archive import Archive
from pipeline.enrich import enrich
from pipeline.errors import Flaw
from pipeline.events import Event, Payload, RawArticle
from pipeline.identity import article_id
from pipeline.normalise import normalise
from pipeline.ports import Message, Partition, Record
from pipeline.store import segment
from pipeline.transform import Handle, Transform

PARTITIONS = 3
FRENCH = "Le ministre {n} a accusé mardi la Russie d'avoir attaqué Kiev, selon un communiqué publié à Paris."


class World:
    """Everything the steps need, in memory."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        topics = [*flow.FACTS, *flow.REJECTED, *flow.STATES]
        self.broker = MemoryBroker(dict.fromkeys(topics, PARTITIONS), self.clock)
        self.browser = MemoryBrowser(self.broker)
        self.store = MemoryStore(self.clock.now)
        self.model = MemoryModel({"Russie": "LOC", "Kiev": "LOC", "Paris": "LOC"}, {"accusé": "ACCUSE"})

    def raw(self, n: int, text: str | None = None) -> RawArticle:
        """Return article number `n`; another `text` is a revision of it."""
        return RawArticle(
            article_id=article_id(source="test", own_id=str(n)),
            source="test",
            url=None,
            position=f"test:{n}",
            body=(text or FRENCH.format(n=n)).encode(),
            media_type="text/plain",
            fetched_at=self.clock.now(),
        )

    def publish(self, items: Iterable[Payload], topic: str = flow.FETCHED) -> None:
        """Write events as the step before would."""
        messages = []
        for data in items:
            self.clock.sleep(0.001)  # two pulls are never at one instant
            if isinstance(data, RawArticle):
                data = msgspec.structs.replace(data, fetched_at=self.clock.now())  # noqa: PLW2901
            wire = codec.encode(Event(codec.envelope(data, time=self.clock.now(), cause=None), data))
            messages.append(Message(topic, wire.key, wire.headers, wire.value))
        MemoryWriter(self.broker, f"seed-{topic}").write(messages)

    def transform(
        self, name: str, *, instance: str = "a", handle: Handle | None = None, log: Callable[..., Any] = MemoryLog
    ) -> Transform:
        """Return a worker of a step, joined to its group."""
        step = flow.step(name)
        return Transform(
            step,
            handle or self.handle(name),
            open_log=lambda job: log(
                self.broker, group=flow.group(name), topics=[step.reads], instance=instance, rebalance=job
            ),
            browser=self.browser,
            clock=self.clock,
        )

    def handle(self, name: str) -> Handle:
        """Return the step's pure function, wired."""
        if name == "normalise":
            return lambda batch, states: normalise(batch, states=states, now=self.clock.now())
        return lambda batch, states: enrich(batch, model=self.model, now=self.clock.now())

    def archive(
        self,
        *,
        instance: str = "a",
        store: Any = None,
        topics: Sequence[str] = flow.ARCHIVED,
        segment_bytes: int = 10**9,
        segment_seconds: float = 5.0,
        buffer_bytes: int = 10**9,
    ) -> Archive:
        """Return an archive worker, joined to its group."""
        return Archive(
            segment,
            open_log=lambda job: MemoryLog(
                self.broker,
                group=flow.group("archive"),
                topics=topics,
                instance=instance,
                rebalance=job,
                transactional=False,
            ),
            browser=self.browser,
            store=store or self.store,
            clock=self.clock,
            segment_bytes=segment_bytes,
            segment_seconds=segment_seconds,
            buffer_bytes=buffer_bytes,
        )

    def records(self, topic: str) -> list[Record]:
        """Return every record of a topic."""
        return [r for p in self.broker.partitions(topic) for r in self.broker.records(p)]

    def events(self, topic: str) -> list[Event]:
        """Return every event of a topic; none of them may be broken."""
        out = []
        for record in self.records(topic):
            event = codec.decode(record)
            assert not isinstance(event, Flaw), event
            out.append(event)
        return out


def drain(job: Any, *, polls: int = 30, limit: int = 10) -> None:
    """Let a worker read until the log is quiet."""
    for _ in range(polls):
        records = job.log.poll(0.5, limit)
        job.work(records)
        if not records and getattr(job, "buffered", 0) == 0:
            return
    raise AssertionError(f"the log was not quiet after {polls} polls")


def causes(events: Iterable[Event]) -> Mapping[str, int]:
    """Return how often each input is the cause of one of these events."""
    out: dict[str, int] = {}
    for event in events:
        cause = event.envelope.causationid
        assert cause is not None
        out[cause] = out.get(cause, 0) + 1
    return out


def positions(world: World, name: str) -> dict[Partition, int]:
    """Return where a step's group stands."""
    return dict(world.broker.positions(flow.group(name)))


ENGLISH = "The minister said on Tuesday that talks would resume next week in the capital of the country."


def with_a_rejection() -> World:
    """Return a world that has normalised four articles and turned down one in English."""
    made = World()
    made.publish([made.raw(n) for n in range(4)])
    made.publish([made.raw(9, ENGLISH)])
    normalised(made)
    return made


def normalised(world: World) -> None:
    """Let normalise read everything and leave."""
    worker = world.transform("normalise")
    drain(worker)
    worker.finish()
