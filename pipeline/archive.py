"""Log to object store: the segment chain. Where an archive stands is written in the store, not in the group.

Promise: along each partition the manifests form one chain, each starting where the one before it ends;
every committed record is in exactly one of them, whatever crashes, zombies and rebalances do. The commit
steps of one segment:

1. cut the buffered records of one partition into a segment (pure),
2. store its data files under names nobody else uses,
3. create the manifest, named by the start offset, only if it is absent: this is the commit,
4. tell the consumer group the new position, as a hint for lag tools.

Whoever loses the race at 3 goes on at the winner's end; his data files are garbage nobody refers to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import uuid4

import structlog

from pipeline.errors import RetryLater
from pipeline.manifest import manifest_prefix, read_manifest
from pipeline.ports import Clock, EventLog, LogBrowser, ObjectStore, Partition, Record

log = structlog.get_logger(__name__)


class _File(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class _Segment(Protocol):
    @property
    def files(self) -> Sequence[_File]: ...
    @property
    def manifest_key(self) -> str: ...
    @property
    def manifest(self) -> bytes: ...


class Cut(Protocol):
    """The pure function that turns records into files and a manifest."""

    def __call__(self, records: Sequence[Record], *, start: int, end: int, now: datetime, unique: str) -> _Segment: ...


@dataclass
class _Buffer:
    start: int
    since: float
    records: list[Record] = field(default_factory=list)
    size: int = 0

    def add(self, record: Record) -> None:
        self.records.append(record)
        self.size += len(record.value) + len(record.key)


def chain_end(store: ObjectStore, partition: Partition, first: int) -> int:
    """Return the end of the partition's last segment, `first` where there is none."""
    last = None
    for last in store.list(manifest_prefix(partition.topic, partition.number)):  # noqa: B007 - the last one counts
        pass
    return read_manifest(store.get(last.key)).end if last is not None else first


class Archive:
    """The job that moves whole topics into segments."""

    def __init__(
        self,
        cut: Cut,
        *,
        open_log: Callable[["Archive"], EventLog],
        browser: LogBrowser,
        store: ObjectStore,
        clock: Clock,
        segment_bytes: int,
        segment_seconds: float,
    ) -> None:
        self._cut = cut
        self._browser = browser
        self._store = store
        self._clock = clock
        self._most_bytes = segment_bytes
        self._most_seconds = segment_seconds
        self._buffers: dict[Partition, _Buffer] = {}
        self._next: dict[Partition, int] = {}
        self._untold: dict[Partition, int] = {}
        self.counts = {"segments": 0, "records": 0, "lost_races": 0}
        self.log = open_log(self)

    # Rebalance

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Start each partition at the end of its last segment."""
        firsts: dict[Partition, int] = {}
        for topic in {p.topic for p in partitions}:
            firsts |= {p: first for p, (first, _) in self._browser.bounds(topic).items()}
        for partition in partitions:
            self._next[partition] = chain_end(self._store, partition, firsts[partition])
            self._buffers.pop(partition, None)
            if self._next[partition] > firsts[partition]:
                # Whoever stored the last segment may have died before he told the group.
                self._untold[partition] = self._next[partition]
        return {p: self._next[p] for p in partitions}

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Flush, then let go. What a store that is down does not take, the next owner reads again."""
        for partition in partitions:
            try:
                self._flush(partition)
            except RetryLater as error:
                log.warning("left to the next owner", partition=partition, reason=str(error))
        self.lost(partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Drop what is buffered and write nothing."""
        for partition in partitions:
            self._buffers.pop(partition, None)
            self._next.pop(partition, None)
            self._untold.pop(partition, None)

    # Job

    def work(self, records: Sequence[Record]) -> None:
        """Buffer the records and flush every segment that is large or old enough."""
        for record in records:
            partition = Partition(record.topic, record.partition)
            if partition not in self._buffers:
                self._buffers[partition] = _Buffer(self._next[partition], self._clock.monotonic())
            self._buffers[partition].add(record)
        due = [p for p, buffer in self._buffers.items() if self._is_due(buffer)]
        for partition in due:
            self._flush(partition)
        self._hint()

    def rewind(self) -> None:
        """Drop the buffers and read on from the ends of the chains."""
        partitions = list(self._next)
        self._buffers.clear()
        self.log.seek(self.assigned(partitions))

    def finish(self) -> None:
        """Flush everything and leave the group."""
        for partition in list(self._buffers):
            self._flush(partition)
        self._hint()
        self.log.close()

    @property
    def positions(self) -> Mapping[Partition, int]:
        """Where each owned partition's chain ends."""
        return dict(self._next)

    @property
    def buffered(self) -> int:
        """How many records wait for their segment."""
        return sum(len(buffer.records) for buffer in self._buffers.values())

    def _is_due(self, buffer: _Buffer) -> bool:
        age = self._clock.monotonic() - buffer.since
        return buffer.size >= self._most_bytes or age >= self._most_seconds

    def _flush(self, partition: Partition) -> None:
        """Close the partition's segment, if there is one; where another writer closed it, go on at his end."""
        buffer = self._buffers.get(partition)
        if buffer is None:
            return
        end = buffer.records[-1].offset + 1
        segment = self._cut(buffer.records, start=buffer.start, end=end, now=self._clock.now(), unique=uuid4().hex[:12])
        for file in segment.files:
            if not self._store.create(file.key, file.data):
                raise RetryLater(f"the store already has {file.key}, a name nobody else can have")
        if not self._store.create(segment.manifest_key, segment.manifest):
            self._yield_to_winner(partition, segment.manifest_key)
            return
        del self._buffers[partition]
        self._next[partition] = self._untold[partition] = end
        self.counts["segments"] += 1
        self.counts["records"] += len(buffer.records)
        log.info("stored", topic=partition.topic, partition=partition.number, start=buffer.start, end=end)

    def _yield_to_winner(self, partition: Partition, manifest_key: str) -> None:
        winner = read_manifest(self._store.get(manifest_key))
        self._buffers.pop(partition, None)
        self._next[partition] = winner.end
        self.counts["lost_races"] += 1
        log.warning("another writer closed this segment", manifest=manifest_key, resume_at=winner.end)
        self.log.seek({partition: winner.end})

    def _hint(self) -> None:
        """Tell the group where the chains end; what it does not hear it is told the next time."""
        if not self._untold:
            return
        try:
            self.log.commit([], self._untold)
            self._untold = {}
        except RetryLater as error:
            log.info("the group's position lags behind the chain", reason=str(error))
