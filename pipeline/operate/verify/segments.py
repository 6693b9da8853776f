"""One segment of the chain, read as far as it must be: files hashed, offsets, ids, rows of each article. Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.manifest import Manifest, TableFile, data_key
from pipeline.operate.verify.spill import Keys, fingerprints
from pipeline.operate.verify.verdict import Fault, at
from pipeline.ports import ObjectStore, Partition

Offsets = npt.NDArray[np.int64]

SIDE_TABLES = ("mentions", "entities", "times", "events", "quotes")
"""Tables of which an article has any number of rows."""

_READ = {
    "records": ("log_offset", "event_id", "timestamp"),
    "undecodable": ("log_offset", "event_id", "timestamp"),
    "articles": ("log_offset", "source_event_id", "article_id", "revision", "withdrawn", "content_hash"),
} | dict.fromkeys(SIDE_TABLES, ("log_offset",))
ID_COLUMNS = {"records": "event_id", "articles": "source_event_id", "undecodable": "event_id"}
_SHOWN = 10
"""Faults of one kind that are named within one segment."""


class Reading(NamedTuple):
    """What one segment holds. Where it is not `whole`, a file could not be read and the rest is not to be judged."""

    manifest: Manifest
    faults: tuple[Fault, ...]
    whole: bool
    offsets: Offsets
    """Of every record, sorted."""
    ids: Keys
    id_offsets: Offsets
    articles: pa.Table | None
    """By offset, of each article: log_offset, event_id, key, revision, withdrawn, content_hash, rows of each table."""
    files: dict[str, bytes]
    """The files whose rows are records, for whoever compares them with the log."""


class _Unreadable(Exception):
    """A file is not what its manifest says; the text says how."""


def read_segment(store: ObjectStore, manifest: Manifest, *, keep: bool) -> Reading:
    """Return what the segment holds; `keep` the files for a comparison with the log. Never raises for bad data."""
    where = at(Partition(manifest.topic, manifest.partition), manifest.start)
    faults = [Fault("manifests", where, said) for said in _claims(manifest)]
    tables: dict[str, pa.Table] = {}
    files: dict[str, bytes] = {}
    for name, file in manifest.tables.items():
        try:
            data = _bytes(store, file)
            tables[name] = _table(name, file, data)
        except _Unreadable as error:
            faults.append(Fault("files", where, str(error)))
            continue
        if keep and name in ("records", "undecodable"):
            files[name] = data
    whole = len(tables) == len(manifest.tables)
    faults += _offset_faults(manifest, tables)
    held = _held(tables)
    if whole and len(held) != manifest.records:
        said = f"the manifest says {manifest.records} records, its files hold {len(held)}"
        faults.append(Fault("counts", where, said))
    faults += _time_faults(manifest, tables, where)
    ids, id_offsets = _ids(tables)
    articles, orphans = _articles(manifest, tables)
    return Reading(manifest, (*faults, *orphans), whole, np.sort(held), ids, id_offsets, articles, files)


def _claims(manifest: Manifest) -> Iterator[str]:
    """Yield how the manifest contradicts itself."""
    if manifest.end <= manifest.start:
        yield f"the segment ends at {manifest.end}"
    if manifest.first_timestamp.tzinfo is None or manifest.last_timestamp.tzinfo is None:
        yield "its timestamps have no time zone"
    elif manifest.first_timestamp.date().isoformat() != manifest.dt:
        yield f"its day is {manifest.dt}, its first record is of {manifest.first_timestamp.isoformat()}"
    for name, file in manifest.tables.items():
        start = data_key(manifest.topic, name, manifest.dt, manifest.partition, manifest.start, "")
        if not file.key.startswith(start.removesuffix(".parquet")):
            yield f"its table {name} is said to be in {file.key}, which is the name of another"


def _bytes(store: ObjectStore, file: TableFile) -> bytes:
    try:
        # One byte more than promised tells a longer file from the right one, whatever its size.
        data = store.get(file.key, max(file.bytes, 0) + 1)
    except (KeyError, ValueError) as error:
        raise _Unreadable(f"{file.key} is missing, though the manifest names it") from error
    if len(data) != file.bytes:
        more = "more" if len(data) > file.bytes else str(len(data))
        raise _Unreadable(f"{file.key} has {more} bytes, the manifest says {file.bytes}")
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        raise _Unreadable(f"{file.key} has SHA-256 {found}, the manifest says {file.sha256}")
    return data


def _table(name: str, file: TableFile, data: bytes) -> pa.Table:
    try:
        parquet = pq.ParquetFile(pa.BufferReader(data))
        wanted = _READ.get(name, ())
        if lacking := set(wanted) - set(parquet.schema_arrow.names):
            raise _Unreadable(f"{file.key} has no column {', '.join(sorted(lacking))}")
        table = parquet.read(columns=list(wanted), use_threads=False)
        rows = parquet.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _Unreadable(f"{file.key} cannot be read: {error}") from error
    if wanted and table["log_offset"].null_count:
        raise _Unreadable(f"{file.key} has rows without an offset")
    if rows != file.rows:
        raise _Unreadable(f"{file.key} has {rows} rows, the manifest says {file.rows}")
    return table


def _numbers(table: pa.Table, name: str = "log_offset") -> Offsets:
    found: Offsets = table[name].to_numpy()
    return found


def _held(tables: dict[str, pa.Table]) -> Offsets:
    """Return the offsets of the records, file by file."""
    parts = [_numbers(tables[name]) for name in ("records", "articles", "undecodable") if name in tables]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _offset_faults(manifest: Manifest, tables: dict[str, pa.Table]) -> Iterator[Fault]:
    """Yield offsets that stand outside the segment, twice, or out of order."""
    partition = Partition(manifest.topic, manifest.partition)
    for name in ("records", "articles", "undecodable"):
        if name not in tables:
            continue
        offsets = _numbers(tables[name])
        outside = offsets[(offsets < manifest.start) | (offsets >= manifest.end)]
        for offset in outside[:_SHOWN].tolist():
            said = f"outside its segment [{manifest.start}, {manifest.end})"
            yield Fault("offsets", at(partition, offset), said)
        for before in np.flatnonzero(offsets[1:] < offsets[:-1])[:_SHOWN].tolist():
            said = f"stands behind {offsets[before]} in {manifest.tables[name].key}"
            yield Fault("offsets", at(partition, int(offsets[before + 1])), said)
    held = np.sort(_held(tables))
    for offset in np.unique(held[1:][held[1:] == held[:-1]])[:_SHOWN].tolist():
        said = f"stands {int(np.sum(held == offset))} times in the segment that starts at {manifest.start}"
        yield Fault("offsets", at(partition, offset), said)


def _time_faults(manifest: Manifest, tables: dict[str, pa.Table], where: str) -> Iterator[Fault]:
    """Yield how the first and last timestamps differ from those of the records, where these are kept."""
    if "records" not in tables or manifest.first_timestamp.tzinfo is None or manifest.last_timestamp.tzinfo is None:
        return
    times = tables["records"]["timestamp"]
    if not len(times):
        return
    for said, found in ((manifest.first_timestamp, times[0]), (manifest.last_timestamp, times[-1])):
        if found.as_py() != said:
            yield Fault("manifests", where, f"a timestamp is {said.isoformat()}, that record's is {found.as_py()}")


def _ids(tables: dict[str, pa.Table]) -> tuple[Keys, Offsets]:
    keys, offsets = [np.empty((0, 2), np.uint64)], [np.empty(0, np.int64)]
    for name, column in ID_COLUMNS.items():
        if name in tables:
            table = tables[name]
            if table[column].null_count:
                table = table.filter(pc.is_valid(table[column]))
            keys.append(fingerprints(table[column]))
            offsets.append(_numbers(table))
    return np.concatenate(keys), np.concatenate(offsets)


def _articles(manifest: Manifest, tables: dict[str, pa.Table]) -> tuple[pa.Table | None, Sequence[Fault]]:
    """Return the articles by offset, with how many rows each table has of each; and rows that are of no article."""
    if "articles" not in tables:
        return None, ()
    table = tables["articles"].rename_columns(
        ["log_offset", "event_id", "key", "revision", "withdrawn", "content_hash"]
    )
    offsets = _numbers(table)
    if np.any(offsets[1:] < offsets[:-1]):
        table = table.take(np.argsort(offsets, kind="stable"))
        offsets = _numbers(table)
    faults = []
    for name in SIDE_TABLES:
        if name not in tables:
            table = table.append_column(name, pa.nulls(len(table), pa.int64()))
            continue
        rows = _numbers(tables[name])
        at_ = np.searchsorted(offsets, rows)
        known = np.append(offsets, -1)[at_] == rows
        for offset in np.unique(rows[~known])[:_SHOWN].tolist():
            place = at(Partition(manifest.topic, manifest.partition), offset)
            faults.append(Fault("counts", place, f"{name} has rows of it, articles has none"))
        table = table.append_column(name, pa.array(np.bincount(at_[known], minlength=len(table))))
    return table, faults


def kept_rows(reading: Reading, name: str, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the records of a kept file in full, so many at a time."""
    yield from pq.ParquetFile(pa.BufferReader(reading.files[name])).iter_batches(rows)


def table_of(store: ObjectStore, manifest: Manifest, name: str) -> pa.Table | None:
    """Return the columns of a table that are read here; None where it is not there or not as it should be."""
    file = manifest.tables.get(name)
    try:
        return None if file is None else _table(name, file, _bytes(store, file))
    except _Unreadable:
        return None
