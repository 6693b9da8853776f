"""Records of one partition → Parquet files and the manifest that commits them. Pure: names and bytes.

`news.article.enriched` becomes tables an analyst can read; every other topic becomes `records`, which hold
enough to write each record again exactly as it was. A record that cannot be decoded is a row of
`undecodable`: kept and counted, and nothing stops.
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import __version__, codec
from pipeline.errors import Flaw
from pipeline.events import EnrichedArticle, Withdrawn
from pipeline.manifest import FORMAT, Manifest, TableFile, data_key, manifest_key, write_manifest
from pipeline.ports import Record
from pipeline.store.rows import Row, Rows, rows_of, rows_of_withdrawal
from pipeline.store.tables import ENRICHED_TABLES, RECORDS, UNDECODABLE

_TABLED_TOPIC = "news.article.enriched"


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
    for name, table in _tables(topic, records).items():
        data = _parquet(table)
        key = data_key(topic, name, dt, partition, start, unique)
        files.append(File(key, data))
        described[name] = TableFile(
            key=key, rows=table.num_rows, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
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
    return Segment(tuple(files), manifest_key(topic, partition, start), write_manifest(manifest))


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _tables(topic: str, records: Sequence[Record]) -> Mapping[str, pa.Table]:
    if topic != _TABLED_TOPIC:
        return {"records": pa.Table.from_pylist([_record_row(r) for r in records], RECORDS)}
    rows: Rows = defaultdict(list)
    for record in records:
        for table, more in _enriched_rows(record).items():
            rows[table] += more
    schemas = ENRICHED_TABLES | ({"undecodable": UNDECODABLE} if "undecodable" in rows else {})
    return {name: pa.Table.from_pylist(rows[name], schema) for name, schema in schemas.items()}


def _record_row(record: Record) -> Row:
    heads = dict(record.headers)
    return {
        "log_offset": record.offset,
        "timestamp": record.timestamp,
        "key": record.key,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
        "value": record.value,
        "event_id": heads.get("ce_id", b"").decode(errors="replace") or None,
        "event_type": heads.get("ce_type", b"").decode(errors="replace") or None,
    }


def _enriched_rows(record: Record) -> Rows:
    event = codec.decode(record)
    if isinstance(event, Flaw):
        return _left_over(record, event)
    origin: dict[str, Any] = {"source_event_id": event.envelope.id, "log_offset": record.offset}
    data = event.data
    if isinstance(data, EnrichedArticle):
        article = data.article
        return rows_of(data, origin | {"article_id": article.article_id, "revision": article.revision})
    if isinstance(data, Withdrawn):
        return rows_of_withdrawal(data, origin | {"article_id": data.article_id, "revision": data.revision})
    return _left_over(record, Flaw("unknown_type", f"{event.envelope.type} does not belong into this topic"))


def _left_over(record: Record, flaw: Flaw) -> Rows:
    return {"undecodable": [_record_row(record) | {"reason": flaw.reason, "detail": flaw.detail}]}
