"""The log beside the chain: one pass over each partition, compared with the segments record by record."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.operate.verify.segments import SIDE_TABLES, Offsets, Reading, kept_rows
from pipeline.operate.verify.verdict import Findings, at
from pipeline.ports import LogBrowser, Partition, Record

Feed = Callable[[Partition, Sequence[Record]], None]

_BATCH = 1_000
_BATCH_BYTES = 8 * 2**20
_SHOWN = 10


class Cursor:
    """Reads one partition of the log once, forwards, in batches, and shows them to whoever listens."""

    def __init__(self, browser: LogBrowser, partition: Partition, bounds: tuple[int, int], feed: Feed) -> None:
        self._browser = browser
        self._partition = partition
        self._feed = feed
        self.first, self._end = bounds
        self.position = self.first
        self._records: Iterator[Record] | None = None
        self._next: Record | None = None

    @property
    def end(self) -> int:
        """Where the partition ended when it was last asked."""
        return self._end

    def skip_to(self, offset: int) -> None:
        """Start no earlier than `offset`; only before the first read."""
        self.position = max(self.position, offset)

    def until(self, offset: int) -> Iterator[list[Record]]:
        """Yield the records before `offset` that were not read yet, at most 1,000 or some 8 MiB at a time."""
        if offset > self._end:
            # The chain may have grown since the bounds were asked for.
            self._end = self._browser.bounds(self._partition.topic).get(self._partition, (0, self._end))[1]
        while batch := self._batch(min(offset, self._end)):
            self._feed(self._partition, batch)
            yield batch
        self.position = max(self.position, min(offset, self._end))

    def rest(self) -> int:
        """Read to the end; return how many records there were."""
        return sum(len(batch) for batch in self.until(self._end))

    def _batch(self, offset: int) -> list[Record]:
        out: list[Record] = []
        size = 0
        while len(out) < _BATCH and size < _BATCH_BYTES and (record := self._peek(offset)) is not None:
            out.append(record)
            size += len(record.value) + len(record.key)
            self._next = None
            self.position = record.offset + 1
        return out

    def _peek(self, offset: int) -> Record | None:
        while self._next is None and self.position < offset:
            if self._records is None:
                self._records = self._browser.read(self._partition, self.position, self._end)
                self._read_to = self._end
            self._next = next(self._records, None)
            if self._next is None:
                # Only transaction markers were left; what came since is read next.
                self._records, self.position = None, self._read_to
        return self._next if self._next is not None and self._next.offset < offset else None


def compare(reading: Reading, cursor: Cursor, findings: Findings, *, follows: int | None) -> None:
    """Read the log along a segment and name every record that is in one of them only, or differs.

    `follows` is where the next segment starts: what that one holds too is compared there.
    """
    manifest = reading.manifest
    partition = Partition(manifest.topic, manifest.partition)
    begin, end = cursor.position, manifest.end if follows is None else min(manifest.end, follows)
    chain = reading.offsets[(reading.offsets >= begin) & (reading.offsets < end)]
    differ = _Differ(reading, partition, findings)
    times: list[datetime] = []
    for records in cursor.until(end):
        times = [*times[:1], *(record.timestamp for record in (records[0], records[-1]))]
        if reading.whole:
            upto = int(np.searchsorted(chain, records[-1].offset, side="right"))
            log = np.fromiter((r.offset for r in records), np.int64, len(records))
            _report(partition, log, chain[:upto], findings)
            chain = chain[upto:]
            differ.see(records)
    if reading.whole:
        _report(partition, np.empty(0, np.int64), chain, findings)
        if times and begin <= manifest.start and end == manifest.end:
            differ.times(times[0], times[-1])


def _report(partition: Partition, log: Offsets, chain: Offsets, findings: Findings) -> None:
    for offset in np.setdiff1d(log, chain).tolist():
        findings.fault("log in chain", at(partition, offset), "the log holds this record, its segment does not")
    for offset in np.setdiff1d(chain, log).tolist():
        findings.fault("log in chain", at(partition, offset), "its segment holds this record, the log does not")


class _Head(msgspec.Struct, frozen=True):
    revision: int
    content_hash: str


class _Sizes(msgspec.Struct, frozen=True):
    """How much an enriched article holds: enough to compare, without building it."""

    article: _Head | None = None
    revision: int | None = None
    mentions: list[msgspec.Raw] = []
    entities: list[msgspec.Raw] = []
    times: list[msgspec.Raw] = []
    events: list[msgspec.Raw] = []
    quotes: list[msgspec.Raw] = []


_DECODER = msgspec.json.Decoder(_Sizes)


class _Differ:
    """Compares what records say with what their segment says."""

    def __init__(self, reading: Reading, partition: Partition, findings: Findings) -> None:
        self._reading = reading
        self._partition = partition
        self._findings = findings
        self._rows = {name: _Rows(reading, name) for name in reading.files}

    def see(self, records: Sequence[Record]) -> None:
        """Compare a batch; records that the segment lacks were reported already."""
        for rows in self._rows.values():
            rows.compare(records, self._fault)
        if self._reading.articles is not None:
            self._articles(records, self._reading.articles)

    def times(self, first: datetime, last: datetime) -> None:
        """Compare the first and last timestamp of the segment."""
        manifest = self._reading.manifest
        if (manifest.first_timestamp, manifest.last_timestamp) != (first, last):
            said = f"from {manifest.first_timestamp} to {manifest.last_timestamp}, in the log from {first} to {last}"
            self._findings.fault("manifests", at(self._partition, manifest.start), f"the segment is said to be {said}")

    def _fault(self, offset: int, what: str) -> None:
        self._findings.fault("log in chain", at(self._partition, offset), f"{what} is not that of the log")

    def _articles(self, records: Sequence[Record], articles: pa.Table) -> None:
        offsets = articles["log_offset"].to_numpy()
        low = int(np.searchsorted(offsets, records[0].offset))
        high = int(np.searchsorted(offsets, records[-1].offset, side="right"))
        rows = {row["log_offset"]: row for row in articles.slice(low, high - low).to_pylist()}
        for record in records:
            row = rows.get(record.offset)
            if row is not None and (what := _difference(record, row)):
                self._fault(record.offset, what)


def _difference(record: Record, row: dict[str, Any]) -> str | None:
    """Return in what an article's row differs from its record."""
    heads = dict(record.headers)
    try:
        sizes = _DECODER.decode(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "the article"
    if heads.get("ce_id", b"").decode(errors="replace") != row["event_id"]:
        return "the event id"
    if record.key != (row["key"] or "").encode():
        return "the article id"
    revision, content = (
        (sizes.article.revision, sizes.article.content_hash) if sizes.article else (sizes.revision, None)
    )
    if content != row["content_hash"]:
        return "the text"
    if revision != row["revision"] or (heads.get("ce_type") == b"news.article.withdrawn") != row["withdrawn"]:
        return "the revision"
    for name in SIDE_TABLES:
        if row[name] is not None and len(getattr(sizes, name)) != row[name]:
            return f"the number of {name}"
    return None


class _Rows:
    """The records of one kept file, walked along with the log."""

    def __init__(self, reading: Reading, name: str) -> None:
        self._batches = kept_rows(reading, name, _BATCH)
        self._now: pa.RecordBatch | None = next(self._batches, None)

    def compare(self, records: Sequence[Record], fault: Callable[[int, str], None]) -> None:
        """Compare all rows up to the last of these records."""
        mine = np.fromiter((r.offset for r in records), np.int64, len(records))
        while self._now is not None and len(self._now):
            offsets = self._now["log_offset"].to_numpy()
            upto = int(np.searchsorted(offsets, mine[-1], side="right"))
            begin = int(np.searchsorted(offsets[:upto], mine[0]))
            if begin < upto:
                rows = self._now.slice(begin, upto - begin)
                beside = records[np.searchsorted(mine, offsets[begin]) : np.searchsorted(mine, offsets[upto - 1]) + 1]
                if not _all_equal(rows, beside):
                    _name(rows, {record.offset: record for record in beside}, fault)
            if upto < len(self._now):
                self._now = self._now.slice(upto)
                return
            self._now = next(self._batches, None)


def _headers(records: Sequence[Record], kind: Any) -> Any:
    lengths = np.fromiter((len(r.headers) for r in records), np.int32, len(records))
    pairs = [pair for record in records for pair in record.headers]
    struct = pa.StructArray.from_arrays(
        [pa.array([n for n, _ in pairs], pa.string()), pa.array([v for _, v in pairs], pa.binary())],
        fields=list(kind.value_type),
    )
    ends: Any = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(ends, struct, type=kind)


def _all_equal(rows: Any, records: Sequence[Record]) -> bool:
    """Tell whether rows and records are the same, all at once."""
    if len(rows) != len(records):
        return False
    return bool(
        pa.array([r.offset for r in records], pa.int64()).equals(rows["log_offset"])
        and pa.array([r.value for r in records], pa.binary()).equals(rows["value"])
        and pa.array([r.key for r in records], pa.binary()).equals(rows["key"])
        and pa.array([r.timestamp for r in records], rows["timestamp"].type).equals(rows["timestamp"])
        and pa.array([_text(r, "ce_id") for r in records], pa.string()).equals(rows["event_id"])
        and pa.array([_text(r, "ce_type") for r in records], pa.string()).equals(rows["event_type"])
        and _headers(records, rows["headers"].type).equals(rows["headers"])
    )


def _text(record: Record, header: str) -> str | None:
    return dict(record.headers).get(header, b"").decode(errors="replace") or None


def _name(rows: pa.RecordBatch, records: dict[int, Record], fault: Callable[[int, str], None]) -> None:
    """Name the rows that differ, one by one."""
    for row in rows.to_pylist():
        record = records.get(row["log_offset"])
        if record is None:
            continue
        expected = {
            "value": record.value,
            "key": record.key,
            "timestamp": record.timestamp,
            "headers": [{"name": name, "value": value} for name, value in record.headers],
            "event_id": _text(record, "ce_id"),
            "event_type": _text(record, "ce_type"),
        }
        different = [name for name, value in expected.items() if row[name] != value]
        if different:
            fault(row["log_offset"], f"its {', '.join(different)}")
