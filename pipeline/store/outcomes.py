"""What became of each fetched record in a replay: a table beside what came out of them, under one manifest. Pure.

A segment of a version covers start ≤ offset < end of a partition of the *fetched* articles. Its rows carry the
offset of the input they came from; `outcomes` has a row for every input, and what is remembered of its article.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import __version__
from pipeline.events import ArticleState
from pipeline.manifest import FORMAT, Manifest, TableFile, data_key, manifest_key, read_manifest, write_manifest
from pipeline.ports import Partition, Record
from pipeline.store import File, Segment, segment
from pipeline.store.tables import ENRICHED_TABLES

_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("log_offset", pa.int64()),
    ("timestamp", pa.timestamp("us", tz="UTC")),
    ("event_id", pa.string()),
    ("outcome", pa.string()),
    ("stage", pa.string()),
    ("reason", pa.string()),
    ("detail", pa.string()),
    ("article_id", pa.string()),
    ("content_hash", pa.string()),
    ("revision", pa.int32()),
    ("inputs", pa.int64()),
    ("unchanged", pa.int64()),
    ("withdrawn", pa.bool_()),
    ("updated_at", pa.timestamp("us", tz="UTC")),
]
OUTCOMES = pa.schema(_COLUMNS)
_STATE = tuple(ArticleState.__struct_fields__)


class InputOutcome(NamedTuple):
    """What became of one fetched record: `emitted`, `unchanged` or `rejected`, and by which step."""

    offset: int
    timestamp: datetime
    event_id: str | None
    outcome: str
    stage: str | None = None
    reason: str | None = None
    detail: str | None = None
    state: ArticleState | None = None
    """What is remembered of its article from here on; None where nothing new is."""


def replayed(
    outcomes: Sequence[InputOutcome],
    records: Sequence[Record],
    *,
    partition: Partition,
    start: int,
    end: int,
    now: datetime,
    unique: str,
) -> Segment:
    """Return the segment of these outcomes and of the enriched `records`, whose offsets are those of their inputs.

    `partition` is that of the enriched articles. Where every input was turned down or unchanged, the tables are
    there and empty.
    """
    made = (
        segment(records, start=start, end=end, now=now, unique=unique)
        if records
        else _empty(partition, outcomes, start, end, now, unique)
    )
    manifest = read_manifest(made.manifest)
    table = pa.Table.from_pylist([_row(outcome) for outcome in outcomes], OUTCOMES)
    file, described = _file(table, "outcomes", manifest, unique)
    manifest = msgspec.structs.replace(manifest, tables=manifest.tables | {"outcomes": described})
    return Segment((*made.files, file), made.manifest_key, write_manifest(manifest))


def table_of(data: bytes) -> pa.Table:
    """Return the table in the bytes of a Parquet file."""
    return pq.read_table(io.BytesIO(data))


def states_in(table: pa.Table) -> Iterator[ArticleState]:
    """Yield what the inputs of an `outcomes` table left to be remembered, in order."""
    for row in table.select(list(_STATE)).to_pylist():
        if row["content_hash"] is not None:
            yield ArticleState(**row)


def _row(outcome: InputOutcome) -> Mapping[str, object]:
    row = outcome._asdict()
    state = row.pop("state")
    row["log_offset"] = row.pop("offset")
    return row | (msgspec.structs.asdict(state) if state is not None else {})


def _file(table: pa.Table, name: str, manifest: Manifest, unique: str) -> tuple[File, TableFile]:
    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    data = out.getvalue().to_pybytes()
    key = data_key(manifest.topic, name, manifest.dt, manifest.partition, manifest.start, unique)
    digest = hashlib.sha256(data).hexdigest()
    return File(key, data), TableFile(key=key, rows=table.num_rows, bytes=len(data), sha256=digest)


def _empty(
    partition: Partition, outcomes: Sequence[InputOutcome], start: int, end: int, now: datetime, unique: str
) -> Segment:
    manifest = Manifest(
        format=FORMAT,
        topic=partition.topic,
        partition=partition.number,
        start=start,
        end=end,
        records=0,
        dt=outcomes[0].timestamp.date().isoformat(),
        first_timestamp=outcomes[0].timestamp,
        last_timestamp=outcomes[-1].timestamp,
        created_at=now,
        code_version=__version__,
        tables={},
    )
    made = {n: _file(pa.Table.from_pylist([], schema), n, manifest, unique) for n, schema in ENRICHED_TABLES.items()}
    manifest = msgspec.structs.replace(manifest, tables={name: described for name, (_, described) in made.items()})
    key = manifest_key(partition.topic, partition.number, start)
    return Segment(tuple(file for file, _ in made.values()), key, write_manifest(manifest))
