"""A deterministic simulation of the line: one seed decides who runs next, who dies where, and what fails.

The real jobs (`Transform`, `Archive`) run over the memory twins, with a cheap pure function in place of the model and
a cheap cut in place of Parquet. After a schedule of faults everything outside is mended, fresh workers finish the
work, and `judge` asks: has each input one outcome, is each record in one segment, do the chains hold? A seed that
fails is printed and can be run again: `python -m tests.chaos.simulation --seed 4711 --schedules 1`.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import structlog

from pipeline import codec, flow
from pipeline.adapters.memory import MemoryBroker, MemoryBrowser, MemoryClock, MemoryLog
from pipeline.adapters.memory_store import MemoryStore
from pipeline.archive import Archive, chain_end
from pipeline.errors import Fenced, Flaw, RetryLater
from pipeline.events import Article, ArticleState, Event, RawArticle
from pipeline.manifest import FORMAT, Manifest, TableFile, data_key, manifest_key, manifests, write_manifest
from pipeline.normalise.revise import revise
from pipeline.outcome import Outcome
from pipeline.ports import Message, Partition, Record
from pipeline.transform import Transform

PARTITIONS = 2
ARCHIVED = (flow.FETCHED, flow.NORMALISED, flow.rejected(flow.FETCHED))
CRASH_POINTS = (
    "transform 1: read, not decided",
    "transform 2: decided, not committed",
    "transform 3: committed, not remembered",
    "archive 1: cut, nothing stored",
    "archive 2: a file stored",
    "archive 3: manifest created, not noted",
    "archive 4: noted, group not told",
    "archive 4: group told",
)


class Crash(BaseException):
    """The process dies here."""


class _File(NamedTuple):
    key: str
    data: bytes


class _Segment(NamedTuple):
    files: Sequence[_File]
    manifest_key: str
    manifest: bytes


def cut(records: Sequence[Record], *, start: int, end: int, now: datetime, unique: str) -> _Segment:
    """Return a segment of two files that hold the offsets, and its manifest."""
    topic, number = records[0].topic, records[0].partition
    files, tables = [], {}
    for table in (0, 1):
        offsets = [r.offset for r in records if r.offset % 2 == table]
        data = json.dumps(offsets).encode()
        key = data_key(topic, f"t{table}", "2026-01-01", number, start, unique)
        files.append(_File(key, data))
        tables[f"t{table}"] = TableFile(key=key, rows=len(offsets), bytes=len(data), sha256=sha256(data).hexdigest())
    manifest = Manifest(
        format=FORMAT,
        topic=topic,
        partition=number,
        start=start,
        end=end,
        records=len(records),
        dt="2026-01-01",
        first_timestamp=records[0].timestamp,
        last_timestamp=records[-1].timestamp,
        created_at=now,
        code_version="simulation",
        tables=tables,
    )
    return _Segment(files, manifest_key(topic, number, start), write_manifest(manifest))


@dataclass
class Faults:
    """What may go wrong, drawn from one seeded source, and how often each crash point was reached and killed."""

    chance: random.Random
    crash: float = 0.0
    lost_answer: float = 0.0
    pause: float = 0.0
    fall_asleep: Callable[[str], None] = lambda _: None
    reached: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)

    def point(self, name: str, instance: str) -> None:
        """Fall asleep here while the others go on, die here, or neither."""
        self.reached[name] += 1
        if self.chance.random() < self.pause:
            self.fall_asleep(instance)
        if self.chance.random() < self.crash:
            self.killed[name] += 1
            raise Crash(name)

    def answer(self) -> None:
        """Let the answer to something that happened get lost, or not."""
        if self.chance.random() < self.lost_answer:
            raise RetryLater("it happened, but the answer was lost")


class _Log(MemoryLog):
    faults: Faults
    before = after = instance = ""

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        self.faults.point(self.before, self.instance)
        super().commit(messages, positions)
        self.faults.answer()
        self.faults.point(self.after, self.instance)


class _Store:
    """`ObjectStore` of one worker over the common one, with crashes and lost answers around each write."""

    def __init__(self, inner: MemoryStore, faults: Faults, instance: str) -> None:
        self._inner = inner
        self._faults = faults
        self._instance = instance

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        is_manifest = key.startswith("log/")
        if not is_manifest:
            self._faults.point("archive 1: cut, nothing stored", self._instance)
        created = self._inner.create(key, data, metadata)
        self._faults.answer()
        name = "archive 3: manifest created, not noted" if is_manifest else "archive 2: a file stored"
        self._faults.point(name, self._instance)
        return created

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


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
    log: type[_Log] = _Log

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = MemoryClock()
        topics = {topic: PARTITIONS for topic in (*ARCHIVED, flow.ARTICLE_STATE)}
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
        return self.judge()

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
            store=_Store(self.store, self.faults, instance),  # type: ignore[arg-type]
            clock=self.clock,
            segment_bytes=self.chance.choice((1, 2_000, 10**9)),
            segment_seconds=5.0,
        )

    def _open(self, job: Any, kind: str, instance: str, topics: Sequence[str], *, transactional: bool) -> _Log:
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

    # What is asked at the end

    def judge(self) -> list[str]:
        """Return every broken promise in words."""
        return [*self._early, *self._outcomes(), *self._segments()]

    def _outcomes(self) -> list[str]:
        wrong = []
        causes: Counter[str] = Counter()
        emitted, ids = 0, Counter[str]()
        texts: dict[str, list[tuple[int, str]]] = {}
        for record in self._records(flow.NORMALISED):
            event = codec.decode(record)
            assert not isinstance(event, Flaw)
            assert isinstance(event.data, Article)
            emitted += 1
            ids[event.envelope.id] += 1
            causes[event.envelope.causationid or ""] += 1
            texts.setdefault(event.data.article_id, []).append((event.data.revision, event.data.text))
        positions: Counter[str] = Counter()
        for record in self._records(flow.rejected(flow.FETCHED)):
            event = codec.decode(record)
            assert not isinstance(event, Flaw)
            positions[event.data.position] += 1  # type: ignore[union-attr]
        states: dict[str, ArticleState] = {}
        for record in self._records(flow.ARTICLE_STATE):
            event = codec.decode(record)
            assert not isinstance(event, Flaw)
            assert isinstance(event.data, ArticleState)
            states[event.data.article_id] = event.data
        unchanged = sum(state.unchanged for state in states.values())
        wrong += [f"event {name} stands {n} times" for name, n in ids.items() if n > 1]
        wrong += [f"input {name} has {n} results" for name, n in causes.items() if n > 1]
        wrong += [f"{name} was rejected {n} times" for name, n in positions.items() if n > 1]
        if emitted + unchanged + sum(positions.values()) != self.inputs:
            wrong.append(f"{self.inputs} inputs: {emitted} emitted, {unchanged} unchanged, {len(positions)} rejected")
        for name, found in texts.items():
            if [revision for revision, _ in found] != list(range(1, len(found) + 1)):
                wrong.append(f"revisions of {name}: {[revision for revision, _ in found]}")
            if any(a == b for (_, a), (_, b) in zip(found, found[1:], strict=False)):
                wrong.append(f"{name} has two revisions with one text: {found}")
        return wrong

    def _segments(self) -> list[str]:
        wrong = []
        for topic in ARCHIVED:
            ends: dict[int, int] = {}
            held: Counter[tuple[int, int]] = Counter()
            for key, manifest in manifests(self.store, topic):
                if manifest.start != ends.get(manifest.partition, 0):
                    wrong.append(f"{key} starts at {manifest.start}, not {ends.get(manifest.partition, 0)}")
                ends[manifest.partition] = manifest.end
                for file in manifest.tables.values():
                    data = self.store.objects.get(file.key, (b"",))[0]
                    if sha256(data).hexdigest() != file.sha256:
                        wrong.append(f"{key}: {file.key} is missing or another")
                        continue
                    held.update((manifest.partition, offset) for offset in json.loads(data))
            there = Counter((r.partition, r.offset) for r in self._records(topic))
            if held != there:
                wrong.append(f"{topic}: lost {there - held}, doubled {held - there}")
            told = self.broker.positions(flow.group("archive"))
            for number, end in ends.items():
                if told.get(Partition(topic, number)) != end:
                    wrong.append(
                        f"{topic}[{number}]: the group was told {told.get(Partition(topic, number))}, not {end}"
                    )
        return wrong

    def _records(self, topic: str) -> list[Record]:
        return [r for p in self.broker.partitions(topic) for r in self.broker.records(p)]


class Tally(NamedTuple):
    """What a run of many schedules came to."""

    schedules: int
    failures: dict[int, list[str]]
    reached: Counter[str]
    killed: Counter[str]
    inputs: int


def simulate(seeds: range, kind: type[Simulation] = Simulation, *, stop_at_failure: bool = False) -> Tally:
    """Run one schedule a seed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    failures: dict[int, list[str]] = {}
    reached, killed, inputs, done = Counter[str](), Counter[str](), 0, 0
    for seed in seeds:
        simulation = kind(seed)
        try:
            wrong = simulation.run()
        except (AssertionError, KeyError) as broken:
            wrong = [f"{type(broken).__name__}: {broken}"]
        done += 1
        reached += simulation.faults.reached
        killed += simulation.faults.killed
        inputs += simulation.inputs
        if wrong:
            failures[seed] = wrong
            if stop_at_failure:
                break
    return Tally(done, failures, reached, killed, inputs)


def main() -> int:
    """Run schedules and print the tally; 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.simulation", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--schedules", type=int, default=100_000)
    options = parser.parse_args()
    began = time.monotonic()
    tally = simulate(range(options.seed, options.seed + options.schedules))
    print(f"{tally.schedules} schedules, {tally.inputs} inputs, {time.monotonic() - began:.0f} s")
    for name in CRASH_POINTS:
        print(f"  {name}: reached {tally.reached[name]} times, died there {tally.killed[name]} times")
    for seed, wrong in list(tally.failures.items())[:20]:
        print(f"seed {seed}: {wrong[0]}")
    print(f"{len(tally.failures)} schedules lost or doubled something")
    return min(1, len(tally.failures))


if __name__ == "__main__":
    sys.exit(main())
