"""Log to object store: the segment chain. Where an archive stands is written in the store, not in the group.

Promise: along each partition the manifests form one chain, each starting where the one before it ends;
every committed record is in exactly one of them, whatever crashes, zombies and rebalances do. The commit
steps of one segment:

1. cut the buffered records of one partition into a segment (pure),
2. store its data files under names nobody else uses,
3. create the manifest, named by the start offset, only if it is absent: this is the commit,
4. tell the consumer group the new position, as a hint for lag tools.

Whoever loses the race at 3 goes on at the winner's end; his data files are garbage nobody refers to. A store
that takes a write but whose answer is lost is met again at 3: a manifest of the very same bytes is our own.

What is buffered is bounded over all partitions together; a store that is down stops the reading, not the memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import uuid4

import structlog

from pipeline.errors import Misconfigured, RetryLater
from pipeline.manifest import Manifest, manifest_key, manifest_prefix, read_manifest
from pipeline.ports import Clock, EventLog, LogBrowser, ObjectStore, Partition, Record

log = structlog.get_logger(__name__)

# What CPython holds of a record beside its key and value: measured as 2.3 kB at 12 headers of some 40 bytes.
_RECORD_BYTES = 350
_HEADER_BYTES = 160
_NEAR = 1_000
"""Offsets ahead of the log's end in which a chain's last segment is looked for first."""


class _File(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class Segment(Protocol):
    """What is stored at once: files, and the manifest that names them."""

    @property
    def files(self) -> Sequence[_File]: ...
    @property
    def manifest_key(self) -> str: ...
    @property
    def manifest(self) -> bytes: ...


class Cut(Protocol):
    """The pure function that turns records into files and a manifest."""

    def __call__(self, records: Sequence[Record], *, start: int, end: int, now: datetime, unique: str) -> Segment: ...


@dataclass
class _Buffer:
    start: int
    since: float
    records: list[Record] = field(default_factory=list)
    size: int = 0
    """Bytes of keys and values."""
    held: int = 0
    """Bytes of memory, about."""

    def add(self, record: Record) -> None:
        self.records.append(record)
        size = len(record.value) + len(record.key)
        self.size += size
        self.held += size + _RECORD_BYTES + _HEADER_BYTES * len(record.headers)


def chain_end(store: ObjectStore, partition: Partition, first: int, before: int | None = None) -> int:
    """Return the end of the partition's last segment, `first` where there is none.

    `before`, an offset the chain is likely to end shortly ahead of, only makes it quick: the last key of any
    listing that is not empty is the chain's last. So stretches of growing width ahead of it are listed before
    the whole chain is.
    """
    prefix = manifest_prefix(partition.topic, partition.number)
    width = _NEAR
    while before is not None and width < before:
        if last := _last_key(store, prefix, manifest_key(*partition, before - width)):
            return read_manifest(store.get(last)).end
        width *= 32
    last = _last_key(store, prefix, "")
    return first if last is None else read_manifest(store.get(last)).end


def _last_key(store: ObjectStore, prefix: str, after: str) -> str | None:
    last = None
    for info in store.list(prefix, after):
        last = info.key
    return last


def close_segment(store: ObjectStore, segment: Segment) -> Manifest | None:
    """Store a segment's files and then its manifest: steps 2 and 3. Return None where it is ours, by an answer or by
    finding it there after the answer was lost; else the manifest of who closed it first.

    Raises `RetryLater` when the store is out of reach, or has something else under a name nobody else can have.
    """
    for file in segment.files:
        # A name nobody else can have is taken only if we took it ourselves and the answer was lost.
        if not store.create(file.key, file.data) and store.get(file.key) != file.data:
            raise RetryLater(f"the store has something else at {file.key}, a name nobody else can have")
    if store.create(segment.manifest_key, segment.manifest):
        return None
    there = store.get(segment.manifest_key)
    if there != segment.manifest:
        return read_manifest(there)
    log.info("stored already, the answer was lost", manifest=segment.manifest_key)
    return None


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
        buffer_bytes: int,
    ) -> None:
        self._cut = cut
        self._browser = browser
        self._store = store
        self._clock = clock
        self._most_bytes = segment_bytes
        self._most_seconds = segment_seconds
        self._most_held = buffer_bytes
        self._doubtful = False
        self._buffers: dict[Partition, _Buffer] = {}
        self._next: dict[Partition, int] = {}
        self._untold: dict[Partition, int] = {}
        self.counts = {"segments": 0, "records": 0, "lost_races": 0}
        self.log = open_log(self)

    # Rebalance

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Start each partition at the end of its last segment."""
        bounds: dict[Partition, tuple[int, int]] = {}
        for topic in {p.topic for p in partitions}:
            bounds |= self._browser.bounds(topic)
        for partition in partitions:
            first, end = bounds[partition]
            self._next[partition] = chain_end(self._store, partition, first, before=end)
            if self._next[partition] > end:
                self._require_one_log(partition)
            self._buffers.pop(partition, None)
            if self._next[partition] > first:
                # Whoever stored the last segment may have died before he told the group.
                self._untold[partition] = self._next[partition]
        return {p: self._next[p] for p in partitions}

    def _require_one_log(self, partition: Partition) -> None:
        """Raise `Misconfigured` where the chain holds what the log, asked again, never had."""
        _, end = self._browser.bounds(partition.topic)[partition]
        if self._next[partition] > end:
            raise Misconfigured(
                f"the bucket holds {partition.topic}[{partition.number}] up to {self._next[partition]}, the log ends at"
                f" {end}: it is the archive of another Kafka, or this one lost records; set DEPECHE_S3_BUCKET to a"
                " bucket of this Kafka's own"
            )

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
        """Buffer the records; flush every segment that is large or old enough, and the largest while all of them
        together hold too much."""
        for record in records:
            partition = Partition(record.topic, record.partition)
            if partition not in self._buffers:
                if record.offset < self._next[partition]:
                    raise RetryLater(
                        f"the log gave {partition.topic}[{partition.number}]@{record.offset}, which its chain holds up"
                        f" to {self._next[partition]}"
                    )
                self._buffers[partition] = _Buffer(self._next[partition], self._clock.monotonic())
            self._buffers[partition].add(record)
        due = [p for p, buffer in self._buffers.items() if self._is_due(buffer)]
        for partition in due:
            self._flush(partition)
        while sum(buffer.held for buffer in self._buffers.values()) > self._most_held:
            self._flush(max(self._buffers, key=lambda p: self._buffers[p].held))
        self._hint()

    def rewind(self) -> None:
        """Drop the buffers and read on from the ends of the chains. The next segment is closed at once, however
        small: a store that lists but takes no writes is met again before anything is read for nothing."""
        partitions = list(self._next)
        self._buffers.clear()
        self._doubtful = True
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
        return self._doubtful or buffer.size >= self._most_bytes or age >= self._most_seconds

    def _flush(self, partition: Partition) -> None:
        """Close the partition's segment, if there is one; where another writer closed it, go on at his end."""
        buffer = self._buffers.get(partition)
        if buffer is None:
            return
        end = buffer.records[-1].offset + 1
        segment = self._cut(buffer.records, start=buffer.start, end=end, now=self._clock.now(), unique=uuid4().hex[:12])
        winner = close_segment(self._store, segment)
        if winner is not None:
            self._yield_to_winner(partition, segment.manifest_key, winner.end)
            return
        self._doubtful = False
        del self._buffers[partition]
        self._next[partition] = self._untold[partition] = end
        self.counts["segments"] += 1
        self.counts["records"] += len(buffer.records)
        log.info("stored", topic=partition.topic, partition=partition.number, start=buffer.start, end=end)

    def _yield_to_winner(self, partition: Partition, manifest_key: str, end: int) -> None:
        self._buffers.pop(partition, None)
        self._next[partition] = end
        self.counts["lost_races"] += 1
        log.warning("another writer closed this segment", manifest=manifest_key, resume_at=end)
        self.log.seek({partition: end})

    def _hint(self) -> None:
        """Tell the group where the chains end; what it does not hear it is told the next time."""
        if not self._untold:
            return
        try:
            self.log.commit([], self._untold)
            self._untold = {}
        except RetryLater as error:
            log.info("the group's position lags behind the chain", reason=str(error))
