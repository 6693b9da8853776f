"""A deterministic simulation of the line: one seed decides who runs next, who dies where, and what fails.

The real jobs (`Transform`, `Archive`) run over the memory twins, with a cheap pure function in place of the model and
a cheap cut in place of Parquet. After a schedule of faults everything outside is mended, fresh workers finish the
work, and `judge` asks: has each input one outcome, is each record in one segment, do the chains hold? A seed that
fails is printed and can be run again: `python -m tests.chaos.schedules --seed 4711 --schedules 1`.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pipeline import codec, flow
from pipeline.adapters.memory import MemoryBroker, MemoryBrowser, MemoryClock
from pipeline.adapters.memory_store import MemoryStore
from pipeline.archive import Archive, chain_end
from pipeline.errors import Fenced, Flaw, RetryLater
from pipeline.events import Article, ArticleState, Event, RawArticle
from pipeline.normalise.revise import revise
from pipeline.outcome import Outcome
from pipeline.ports import Message, Partition
from pipeline.transform import Transform
from tests.chaos.faults import ARCHIVED, PARTITIONS, Crash, Faults, FaultyLog, FaultyStore, cut
from tests.chaos.judge import judge


@dataclass
class Worker:
    """A process: its job, and in which state it is."""

    kind: str
    instance: str
    job: Any
    failed: bool = False
    dead: bool = False
    stopped: bool = False


class Simulation:
    """One schedule of one seed."""

    transform: type[Transform] = Transform
    archive: type[Archive] = Archive
    log: type[FaultyLog] = FaultyLog

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = MemoryClock()
        topics = dict.fromkeys((*ARCHIVED, flow.ARTICLE_STATE), PARTITIONS)
        self.broker = MemoryBroker(topics, self.clock)
        self.browser = MemoryBrowser(self.broker)
        self.store = MemoryStore(self.clock.now)
        self.faults = Faults(
            self.chance,
            crash=self.chance.choice((0, 0.02, 0.1)),
            lost_answer=self.chance.choice((0, 0.05, 0.2)),
            pause=self.chance.choice((0, 0.05)),
            fall_asleep=self._fall_asleep,
        )
        self.workers: list[Worker] = []
        self.inputs = 0
        self._told: dict[Partition, int] = {}
        self._early: list[str] = []

    # What happens

    def run(self, ticks: int = 60) -> list[str]:
        """Go through the schedule, mend everything, finish the work; return what is wrong."""
        for kind in ("normalise", "archive"):
            for n in range(self.chance.choice((1, 2, 3))):
                self.start(kind, f"{kind}-{n}")
        for _ in range(ticks):
            self._tick()
            self._compare_hints()
        self._mend()
        return [*self._early, *judge(self.broker, self.store, self.inputs)]

    def _tick(self) -> None:
        roll = self.chance.random()
        if roll < 0.62:
            self.turn(self.chance.choice(self.workers))
        elif roll < 0.76:
            self.publish()
        else:
            self.chance.choice(
                (
                    self._kill,
                    self._stop_or_go_on,
                    self._expire,
                    self._restart,
                    self._restart,
                    self._broker_fails_or_recovers,
                    self._store_fails_or_recovers,
                    self._time_passes,
                    self._clock_jumps,
                    self._another_joins,
                )
            )()

    def start(self, kind: str, instance: str) -> None:
        """Start a worker; one that dies while joining is not there."""
        down, self.broker.down = self.broker.down, False
        try:
            self.workers.append(Worker(kind, instance, self._job(kind, instance)))
        finally:
            self.broker.down = down

    def _job(self, kind: str, instance: str) -> Any:
        if kind == "normalise":
            return self.transform(
                flow.step("normalise"),
                self._handle,
                open_log=lambda job: self._open(job, kind, instance, [flow.FETCHED], transactional=True),
                browser=self.browser,
                clock=self.clock,
            )
        return self.archive(
            cut,
            open_log=lambda job: self._open(job, kind, instance, ARCHIVED, transactional=False),
            browser=self.browser,
            store=FaultyStore(self.store, self.faults, instance),  # type: ignore[arg-type]
            clock=self.clock,
            segment_bytes=self.chance.choice((1, 2_000, 10**9)),
            segment_seconds=5.0,
            buffer_bytes=self.chance.choice((3_000, 10**9)),
        )

    def _open(self, job: Any, kind: str, instance: str, topics: Sequence[str], *, transactional: bool) -> FaultyLog:
        log = self.log(
            self.broker,
            group=flow.group(kind),
            topics=topics,
            instance=instance,
            rebalance=job,
            transactional=transactional,
        )
        log.faults, log.instance = self.faults, instance
        log.before, log.after = (
            ("transform 2: decided, not committed", "transform 3: committed, not remembered")
            if transactional
            else ("archive 4: noted, group not told", "archive 4: group told")
        )
        return log

    def _handle(self, batch: Sequence[Event], states: Mapping[str, ArticleState]) -> Sequence[Outcome]:
        self.faults.point("transform 1: read, not decided", "")
        fresh = dict(states)
        out: list[Outcome] = []
        for event in batch:
            raw = event.data
            assert isinstance(raw, RawArticle)
            article = Article(
                article_id=raw.article_id,
                revision=0,
                source=raw.source,
                url=None,
                title=None,
                authors=(),
                published_at=None,
                published_precision=None,
                fetched_at=raw.fetched_at,
                language="fr",
                content_hash=raw.body.decode(),
                text=raw.body.decode(),
                sentences=(),
            )
            outcome = revise(article, fresh.get(raw.article_id), raw.fetched_at)
            if not isinstance(outcome, Flaw) and outcome.state is not None:
                fresh[raw.article_id] = outcome.state
            out.append(outcome)
        return out

    def turn(self, worker: Worker) -> None:
        """Let a worker go once round its loop, as `pipeline.worker.run` does."""
        if worker.dead or worker.stopped:
            return
        try:
            if worker.failed:
                worker.job.rewind()
                worker.failed = False
            worker.job.work(worker.job.log.poll(0.5, self.chance.choice((1, 3, 10))))
        except Fenced:
            worker.dead = True
        except RetryLater:
            worker.failed = True
        except Crash:
            worker.dead = True

    def publish(self) -> None:
        """Write one to three inputs: new articles, old ones with the same or another text, and poison."""
        for _ in range(self.chance.choice((1, 1, 3))):
            self.inputs += 1
            self.clock.sleep(0.001)
            name, number = f"article-{self.chance.randrange(6)}", self.chance.randrange(PARTITIONS)
            if self.chance.random() < 0.1:
                self.broker.append(Message(flow.FETCHED, name.encode(), (("ce_id", b"x"),), b"\xff", number))
                continue
            raw = RawArticle(
                article_id=name,
                source="simulation",
                url=None,
                position=f"input {self.inputs}",
                body=self.chance.choice((b"a", b"b")),
                media_type="text/plain",
                fetched_at=self.clock.now(),
            )
            wire = codec.encode(Event(codec.envelope(raw, time=self.clock.now(), cause=None), raw))
            self.broker.append(Message(flow.FETCHED, wire.key, wire.headers, wire.value))

    def _kill(self) -> None:
        self.chance.choice(self.workers).dead = True

    def _stop_or_go_on(self) -> None:
        worker = self.chance.choice(self.workers)
        worker.stopped = not worker.stopped

    def _expire(self) -> None:
        """The session of somebody who no longer answers ends; whoever was only stopped does not know it."""
        silent = [w for w in self.workers if w.dead or w.stopped]
        if silent:
            worker = self.chance.choice(silent)
            self._guarded(lambda: self.broker.leave(flow.group(worker.kind), worker.job.log))

    def _restart(self) -> None:
        """A supervisor starts a dead worker again, under its old name."""
        dead = [w for w in self.workers if w.dead]
        if dead:
            worker = self.chance.choice(dead)
            self._guarded(lambda: self.broker.leave(flow.group(worker.kind), worker.job.log))
            self.workers.remove(worker)
            self._guarded(lambda: self.start(worker.kind, worker.instance))

    def _guarded(self, act: Any) -> None:
        """Rebalances reach other workers, who may die of them."""
        try:
            act()
        except (Crash, RetryLater):
            for worker in self.workers:
                if self.chance.random() < 0.5:
                    worker.dead = True

    def _fall_asleep(self, instance: str) -> None:
        """A worker is stopped in the middle of a step until its session has ended and others did its work."""
        for worker in self.workers:
            if worker.instance == instance and not worker.stopped:
                worker.stopped = True
                self._guarded(lambda: self.broker.leave(flow.group(worker.kind), worker.job.log))  # noqa: B023
                peers = [w for w in self.workers if w.kind == worker.kind]
                for _ in range(self.chance.choice((2, 6, 12))):
                    self.chance.choice((self.publish, self._time_passes, lambda: None))()
                    self.turn(self.chance.choice(peers))  # of the sleeper's kind: they take what was his
                worker.stopped = False
                return

    def _broker_fails_or_recovers(self) -> None:
        self.broker.down = not self.broker.down

    def _store_fails_or_recovers(self) -> None:
        self.store.down = not self.store.down

    def _time_passes(self) -> None:
        self.clock.sleep(self.chance.choice((1.0, 6.0, 60.0)))

    def _clock_jumps(self) -> None:
        self.clock._now += timedelta(seconds=self.chance.choice((-3600, 3600)))

    def _another_joins(self) -> None:
        if len(self.workers) < 8:
            kind = self.chance.choice(("normalise", "archive"))
            self._guarded(lambda: self.start(kind, f"{kind}-extra-{len(self.workers)}-{self.inputs}"))

    def _mend(self) -> None:
        """Everything outside works again, the old workers are gone, two new ones finish."""
        self.broker.down = self.store.down = False
        self.faults.crash = self.faults.lost_answer = self.faults.pause = 0.0
        self.workers.clear()
        self.broker.forget_members()
        for kind in ("normalise", "archive"):
            self.start(kind, f"{kind}-last")
            (last,) = (w for w in self.workers if w.kind == kind)
            for _ in range(400):
                records = last.job.log.poll(0.5, 50)
                last.job.work(records)
                self.clock.sleep(6)
                if not records and not getattr(last.job, "buffered", 0):
                    break
            last.job.finish()

    def _compare_hints(self) -> None:
        """At no time may the group have been told of more than the chain holds."""
        told = dict(self.broker.positions(flow.group("archive")))
        down, self.store.down = self.store.down, False
        for partition, position in told.items():
            if self._told.get(partition) != position and position > (end := chain_end(self.store, partition, 0)):
                self._early.append(f"{partition}: the group was told {position} when the chain ended at {end}")
        self.store.down, self._told = down, told
