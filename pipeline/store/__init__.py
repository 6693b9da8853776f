"""Records of one partition → Parquet files and the manifest that commits them. Pure: names and bytes.

`news.article.enriched` becomes tables an analyst can read; every other topic becomes `records`, which hold
enough to write each record again exactly as it was. A record that cannot be decoded is a row of
`undecodable`: kept and counted, and nothing stops.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import __version__, codec
from pipeline.errors import Flaw
from pipeline.events import EnrichedArticle, Event, Withdrawn
from pipeline.manifest import FORMAT, Manifest, TableFile, data_key, manifest_key, write_manifest
from pipeline.ports import Record
from pipeline.store.columns import table, tables_of
from pipeline.store.tables import ENRICHED_TABLES, RECORDS, UNDECODABLE

_TABLED_TOPIC = "news.article.enriched"
_AT_ONCE = 256
"""Records decoded at once: enough to work by columns, few enough to be small between JSON and Arrow."""


class File(NamedTuple):
    key: str
    data: bytes


class Segment(NamedTuple):
    """What one flush stores: data files first, then the manifest, which names them."""

    files: tuple[File, ...]
    manifest_key: str
    manifest: bytes


def segment(records: Sequence[Record], *, start: int, end: int, now: datetime, unique: str) -> Segment:
    """Return the segment of `records`, all of one partition, covering start ≤ offset < end.

    `unique` makes the names of the data files nobody else's. The day is that of the first record's log
    timestamp, so that every writer names the same one.
    """
    topic, partition = records[0].topic, records[0].partition
    dt = records[0].timestamp.date().isoformat()
    files: list[File] = []
    described: dict[str, TableFile] = {}
    for name, rows in _tables(topic, records).items():
        data = _parquet(rows)
        key = data_key(topic, name, dt, partition, start, unique)
        files.append(File(key, data))
        described[name] = TableFile(
            key=key, rows=rows.num_rows, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
        )
    manifest = Manifest(
        format=FORMAT,
        topic=topic,
        partition=partition,
        start=start,
        end=end,
        records=len(records),
        dt=dt,
        first_timestamp=records[0].timestamp,
        last_timestamp=records[-1].timestamp,
        created_at=now,
        code_version=__version__,
        tables=described,
    )
    pa.default_memory_pool().release_unused()  # or the peak of one segment stays resident for ever
    return Segment(tuple(files), manifest_key(topic, partition, start), write_manifest(manifest))


def _parquet(table: pa.Table) -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue().to_pybytes()


def _tables(topic: str, records: Sequence[Record]) -> Mapping[str, pa.Table]:
    """Return the tables, made of a few hundred records at a time."""
    few = (records[n : n + _AT_ONCE] for n in range(0, len(records), _AT_ONCE))
    if topic != _TABLED_TOPIC:
        return {"records": pa.concat_tables([table(_record_columns(part), RECORDS) for part in few])}
    parts = [tables for part in few for tables in _enriched(part)]
    schemas = ENRICHED_TABLES | ({"undecodable": UNDECODABLE} if any("undecodable" in part for part in parts) else {})
    return {
        name: pa.concat_tables([schema.empty_table(), *(part[name] for part in parts if name in part)])
        for name, schema in schemas.items()
    }


def _enriched(records: Sequence[Record]) -> list[dict[str, pa.Table]]:
    """Return the tables of these records. One that holds a value no column takes is found by halving."""
    read: list[tuple[Event, int]] = []
    left: list[tuple[Record, Flaw]] = []
    for record in records:
        event = _read(record)
        if isinstance(event, Flaw):
            left.append((record, event))
        else:
            read.append((event, record.offset))
    try:
        tables = tables_of(read)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
        if len(records) > 1:
            half = len(records) // 2
            return _enriched(records[:half]) + _enriched(records[half:])
        tables, left = {}, [(records[0], Flaw("wrong_schema", f"a value does not fit its column: {error}"))]
    return [tables | ({"undecodable": _undecodable(left)} if left else {})]


def _read(record: Record) -> Event | Flaw:
    event = codec.decode(record)
    if isinstance(event, Flaw) or isinstance(event.data, EnrichedArticle | Withdrawn):
        return event
    return Flaw("unknown_type", f"{event.envelope.type} does not belong into this topic")


def _undecodable(left: Sequence[tuple[Record, Flaw]]) -> pa.Table:
    columns = _record_columns([record for record, _ in left])
    columns |= {"reason": [flaw.reason for _, flaw in left], "detail": [flaw.detail for _, flaw in left]}
    return table(columns, UNDECODABLE)


def _record_columns(records: Sequence[Record]) -> dict[str, Sequence[Any]]:
    heads = [dict(record.headers) for record in records]
    return {
        "log_offset": [record.offset for record in records],
        "timestamp": [record.timestamp for record in records],
        "key": [record.key for record in records],
        "headers": [record.headers for record in records],
        "value": [record.value for record in records],
        "event_id": [_text(head.get("ce_id", b"")) for head in heads],
        "event_type": [_text(head.get("ce_type", b"")) for head in heads],
    }


def _text(header: bytes) -> str | None:
    return header.decode(errors="replace") or None
