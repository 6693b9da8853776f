"""The log with what the archive holds of it: what retention took from the log is read from its segments.

Only topics archived as `records` can be read so: those rows are enough to give each record again as it was.
"""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from pipeline.errors import DepecheError
from pipeline.manifest import checked, manifest_prefix, read_manifest
from pipeline.ports import LogBrowser, ObjectStore, Partition, Record

_ROWS = 200
"""Records turned into objects at a time; the segment itself is in memory as the archive closed it."""


def archived(store: ObjectStore, partition: Partition, start: int) -> Iterator[tuple[int, Iterator[Record]]]:
    """Yield, segment by segment, its end and its records with offset ≥ `start`, along the partition's chain.

    Raises `DepecheError` where the chain has a gap or a file is not what its manifest says.
    """
    at = start
    keys = [info.key for info in store.list(manifest_prefix(partition.topic, partition.number))]
    starts = [int(key.rpartition("/")[2].removesuffix(".json")) for key in keys]
    behind = max((n for n, first in enumerate(starts) if first <= start), default=0)
    for key in keys[behind:]:
        manifest = read_manifest(store.get(key))
        if manifest.end <= at:
            continue
        if manifest.start > at:
            raise DepecheError(f"{key}: the archive has a gap from {at} to {manifest.start}; run `depeche verify`")
        data = checked(manifest.tables["records"], store)
        yield manifest.end, _records(partition, data, at)
        at = manifest.end


def first_archived(store: ObjectStore, partition: Partition) -> int | None:
    """Return where the partition's archive begins, None where there is none."""
    first = next(iter(store.list(manifest_prefix(partition.topic, partition.number))), None)
    return None if first is None else int(first.key.rpartition("/")[2].removesuffix(".json"))


def records(store: ObjectStore, browser: LogBrowser, partition: Partition, start: int, end: int) -> Iterator[Record]:
    """Yield the records with start ≤ offset < end: the archive's as far as it goes, then the log's; no gap, no overlap.

    Raises `DepecheError` where the log has lost what the archive does not hold.
    """
    at = start
    while at < end:
        before = at
        for reached, those in archived(store, partition, at):
            yield from (record for record in those if record.offset < end)
            at = reached
            if at >= end:
                return
        first, _ = browser.bounds(partition.topic)[partition]
        if at >= first:
            yield from browser.read(partition, at, end)
            return
        if at == before:
            place = f"{partition.topic}[{partition.number}]"
            raise DepecheError(f"{place}: the archive ends at {at}, the log begins at {first}")


def _records(partition: Partition, data: bytes, start: int) -> Iterator[Record]:
    for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches(batch_size=_ROWS):
        for row in batch.to_pylist():
            if row["log_offset"] >= start:
                yield _record(partition, row)


def _record(partition: Partition, row: dict[str, Any]) -> Record:
    headers = tuple((header["name"], header["value"]) for header in row["headers"])
    return Record(*partition, row["log_offset"], row["timestamp"], row["key"], headers, row["value"])


class History:
    """`LogBrowser` over a log and its archive: the log where it still has a record, the archive where not.

    The archive is asked only where the log does not begin at 0.
    """

    def __init__(self, browser: LogBrowser, store: ObjectStore) -> None:
        self._browser = browser
        self._store = store

    def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
        """See `LogBrowser.bounds`; the first offset is the archive's where that reaches further back."""
        out = {}
        for partition, (first, end) in self._browser.bounds(topic).items():
            earlier = first_archived(self._store, partition) if first > 0 else None
            out[partition] = (first if earlier is None else min(first, earlier), end)
        return out

    def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
        """See `LogBrowser.read`."""
        first, _ = self._browser.bounds(partition.topic)[partition]
        if start < first:
            yield from self._from_archive(partition, start, min(first, end))
        yield from self._browser.read(partition, max(start, first), end)

    def _from_archive(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
        for reached, records in archived(self._store, partition, start):
            yield from (record for record in records if record.offset < end)
            if reached >= end:
                return
        raise DepecheError(
            f"{partition.topic}[{partition.number}]: what is before offset {end} is in the log no more, and the archive"
            " ends before it; `depeche verify` names the gap"
        )

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        """See `LogBrowser.committed`."""
        return self._browser.committed(group, topic)

    def close(self) -> None:
        """See `LogBrowser.close`."""
        self._browser.close()
