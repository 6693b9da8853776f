"""The chain of one topic: its manifests, their order, their files, and each event id once."""

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from itertools import groupby
from typing import NamedTuple

import msgspec
import numpy as np

from pipeline.errors import DepecheError
from pipeline.manifest import Manifest, manifest_key, manifest_prefix, read_manifest
from pipeline.operate.verify.logside import Cursor, compare
from pipeline.operate.verify.naming import event_ids
from pipeline.operate.verify.segments import Reading, read_segment
from pipeline.operate.verify.spill import Spill, groups
from pipeline.operate.verify.verdict import OFFSETS, Findings, at, place, place_name
from pipeline.ports import ObjectStore, Partition

_KEY = re.compile(r"log/topic=(?P<topic>[^/]+)/p=(?P<partition>\d{5})/(?P<start>\d{20})\.json")
_ONCE = "each event id once"
_SHOWN = 10
"""Places of one id that are named."""
_AHEAD = 4
"""Segments that are fetched, hashed and decoded while others are judged; as many are held in memory."""


class Range(msgspec.Struct, frozen=True):
    """Which segments to look at: those of one topic or partition, those that touch offsets or days, end exclusive."""

    topic: str | None = None
    partition: int | None = None
    start: int | date | None = None
    until: int | date | None = None

    @property
    def everything(self) -> bool:
        """Tell whether nothing is left out."""
        return self == Range()

    @property
    def whole_partitions(self) -> bool:
        """Tell whether partitions are looked at from their first segment to their last."""
        return self.start is None and self.until is None

    def has(self, partition: Partition) -> bool:
        """Tell whether any of a partition is looked at."""
        return self.topic in (None, partition.topic) and self.partition in (None, partition.number)

    def touches(self, manifest: Manifest) -> bool:
        """Tell whether a segment is looked at."""
        if isinstance(self.start, int) and manifest.end <= self.start:
            return False
        if isinstance(self.start, date) and manifest.last_timestamp.date() < self.start:
            return False
        if isinstance(self.until, int) and manifest.start >= self.until:
            return False
        return not (isinstance(self.until, date) and manifest.first_timestamp.date() >= self.until)


def strangers(store: ObjectStore, topics: Collection[str], findings: Findings) -> None:
    """Name what stands among the manifests and is of no topic that is archived: one key of each folder."""
    after = ""
    while (info := next(store.list("log/", after), None)) is not None:
        folder, _, rest = info.key.removeprefix("log/").partition("/")
        after = f"log/{folder}/~" if rest else info.key  # "~" sorts behind all keys of the folder
        if folder.removeprefix("topic=") not in topics or not rest:
            findings.fault("manifests", info.key, "no topic that is archived has such a manifest")


class _Named(NamedTuple):
    """A key in the chain's folder, taken apart."""

    key: str
    partition: int
    start: int


_Result = Reading | str | None
"""A segment as it was read; or why its manifest is none; or that it is outside the range."""


class Chain:
    """Checks the segments of one topic, partition by partition, beside the log where there is one."""

    def __init__(
        self,
        topic: str,
        *,
        store: ObjectStore,
        wanted: Range,
        findings: Findings,
        cursor: Callable[[Partition], Cursor | None],
        told: Mapping[Partition, int],
        seen: Callable[[Reading], None],
    ) -> None:
        self._topic = topic
        self._store = store
        self._range = wanted
        self._findings = findings
        self._cursor = cursor
        self._told = told
        self._seen = seen
        self._ids = Spill({"place": "<i8"})

    def check(self, log_partitions: Iterable[Partition]) -> None:
        """Check every partition that the store or the log has."""
        self._findings.count(f"{self._topic}: archived", 0)
        done = set()
        for number, named in groupby(self._named(), key=lambda each: each.partition):
            partition = Partition(self._topic, number)
            done.add(partition)
            if self._range.has(partition):
                self._partition(partition, named)
        for partition in sorted(set(log_partitions) - done):
            if self._range.has(partition):
                self._partition(partition, ())
        self._doubled()

    def _named(self) -> Iterator[_Named]:
        for info in self._store.list(manifest_prefix(self._topic, self._range.partition)):
            match = _KEY.fullmatch(info.key)
            if match is None:
                self._findings.fault("manifests", info.key, "this is no name of a manifest")
            else:
                yield _Named(info.key, int(match["partition"]), int(match["start"]))

    # One partition

    def _partition(self, partition: Partition, named: Iterable[_Named]) -> None:
        cursor = self._cursor(partition)
        end: int | None = None if cursor is None or not self._range.whole_partitions else cursor.first
        before: Reading | None = None
        for reading in self._good(partition, named, keep=cursor is not None):
            start = reading.manifest.start
            if cursor is not None and before is not None:
                compare(before, cursor, self._findings, follows=start)
            elif cursor is not None and not self._range.whole_partitions:
                cursor.skip_to(start)
            self._link(partition, end, start, cursor=cursor, first=before is None)
            self._segment(reading)
            before, end = reading, reading.manifest.end
        if cursor is not None and before is not None:
            compare(before, cursor, self._findings, follows=None)
        self._tail(partition, cursor, end)

    def _good(self, partition: Partition, named: Iterable[_Named], *, keep: bool) -> Iterator[Reading]:
        """Yield the segments of the range whose manifest can be read; name the others."""
        for each, found in self._read(self._near(named), keep=keep):
            if isinstance(found, Reading):
                yield found
            elif found is not None:
                self._findings.fault("manifests", at(partition, each.start), f"{each.key}: {found}")

    def _near(self, named: Iterable[_Named]) -> Iterator[_Named]:
        """Leave out segments that end before the range as their followers' names tell, and those behind it."""
        low, high = self._range.start, self._range.until
        before: _Named | None = None
        for each in named:
            if isinstance(high, int) and each.start >= high:
                break
            if before is not None and not (isinstance(low, int) and each.start <= low):
                yield before
            before = each
        if before is not None:
            yield before

    def _read(self, named: Iterator[_Named], *, keep: bool) -> Iterator[tuple[_Named, _Result]]:
        """Read segments a few ahead, in other threads: fetching waits, hashing and decoding let others run."""
        waiting: deque[tuple[_Named, Future[_Result]]] = deque()
        with ThreadPoolExecutor(_AHEAD) as pool:
            for each in named:
                waiting.append((each, pool.submit(self._result, each, keep)))
                if len(waiting) >= _AHEAD:
                    yield waiting[0][0], waiting.popleft()[1].result()
            while waiting:
                yield waiting[0][0], waiting.popleft()[1].result()

    def _result(self, named: _Named, keep: bool) -> _Result:
        try:
            data = self._store.get(named.key)
        except KeyError:
            return "it was listed and is not there"
        try:
            manifest = read_manifest(data)
        except DepecheError as error:
            return str(error)
        if manifest_key(manifest.topic, manifest.partition, manifest.start) != named.key:
            place_ = at(Partition(manifest.topic, manifest.partition), manifest.start)
            return f"its content is the manifest of {place_}"
        if not self._range.touches(manifest):
            return None
        return read_segment(self._store, manifest, keep=keep)

    def _link(self, partition: Partition, end: int | None, start: int, *, cursor: Cursor | None, first: bool) -> None:
        """Tell whether a segment starts where the one before it ends, the first one where the log does."""
        if end is None:
            if start > 0 and self._range.whole_partitions:
                said = "only the log tells whether a segment before this first one is missing"
                self._findings.unchecked(f"{at(partition, start)}: {said}")
        elif start > end:
            said = (
                f"the log starts here, the first segment at {start}" if first else f"the next segment starts at {start}"
            )
            self._findings.fault("chain", at(partition, end), f"gap: {said}")
            lost = sum(len(batch) for batch in cursor.until(start)) if cursor is not None else 0
            if lost:
                said = f"no segment holds the {lost} records that the log has from here to {start}"
                self._findings.fault("log in chain", at(partition, end), said)
        elif start < end and not first:
            self._findings.fault("chain", at(partition, start), f"overlap: the segment before ends at {end}")

    def _segment(self, reading: Reading) -> None:
        manifest = reading.manifest
        for fault in reading.faults:
            self._findings.fault(fault.invariant, fault.where, fault.detail)
        self._findings.count(f"{self._topic}: archived", manifest.records)
        nameable = (reading.id_offsets >= 0) & (reading.id_offsets < OFFSETS)
        self._ids.add(reading.ids[nameable], place=place(manifest.partition, reading.id_offsets[nameable]))
        self._seen(reading)

    def _tail(self, partition: Partition, cursor: Cursor | None, end: int | None) -> None:
        """What lies behind the last segment waits for the archive, unless the archive once said it was stored."""
        if cursor is None or not self._range.whole_partitions:
            return
        told, end = self._told.get(partition, 0), end or 0
        if told > end:
            said = f"the archive has told its group {told}: the last segment is missing"
            self._findings.fault("chain", at(partition, end), said)
        if end > cursor.end:
            said = f"the chain ends at {end}, behind the end of the log"
            self._findings.fault("log in chain", at(partition, cursor.end), said)
        self._findings.count(f"{self._topic}: waiting for the archive", cursor.rest())

    # Each event id once

    def _doubled(self) -> None:
        """Name both places of every id that stands twice; ids are compared as strings before a word is said."""
        found: list[list[int]] = []
        room, rest = self._findings.room(_ONCE), 0
        for rows in self._ids.chunks():
            starts = groups(rows)
            sizes = np.diff(np.append(starts, len(rows)))
            doubled = np.flatnonzero(sizes > 1)
            for n in doubled[: max(0, room - len(found))].tolist():
                found.append(np.sort(rows["place"][starts[n] :][: min(sizes[n], _SHOWN)]).tolist())
            rest += len(doubled)
        names = event_ids(self._store, self._topic, {p for places in found for p in places})
        for first, *others in found:
            for other in others:
                if names.get(first) == names.get(other):
                    said = f"event {names.get(first)} stands at {place_name(self._topic, first)} as well"
                    self._findings.fault(_ONCE, place_name(self._topic, other), said)
        self._findings.more(_ONCE, rest - len(found))
