"""Breaking a line on purpose: objects are changed, cut anew with right hashes, or taken away."""

import hashlib
import io
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import flow
from pipeline.manifest import Manifest, manifest_key, manifests, write_manifest
from pipeline.ports import Partition, Record
from tests.flow.line import Line


def segments(line: Line, topic: str = flow.FETCHED, partition: int = 0) -> list[Manifest]:
    """Return the manifests of a partition, in order."""
    return [m for _, m in manifests(line.store, topic) if m.partition == partition]


def key_of(manifest: Manifest) -> str:
    """Return where a manifest lies."""
    return manifest_key(manifest.topic, manifest.partition, manifest.start)


def put(line: Line, key: str, data: bytes) -> None:
    """Store bytes under a key, whatever was there."""
    _, metadata, at = line.store.objects.get(key, (b"", {}, line.clock.now()))
    line.store.objects[key] = (data, metadata, at)


def reword(line: Line, manifest: Manifest, **changes: Any) -> None:
    """Let a manifest say something else."""
    put(line, key_of(manifest), write_manifest(msgspec.structs.replace(manifest, **changes)))


def recut(
    line: Line, manifest: Manifest, table: str, change: Callable[[pa.Table], pa.Table], **changes: Any
) -> Manifest:
    """Change the rows of a table and let the manifest vouch for them: right hash, right number of rows."""
    file = manifest.tables[table]
    changed = change(pq.read_table(io.BytesIO(line.store.objects[file.key][0])))
    out = io.BytesIO()
    pq.write_table(changed, out)
    put(line, file.key, out.getvalue())
    sha256 = hashlib.sha256(out.getvalue()).hexdigest()
    described = msgspec.structs.replace(file, rows=changed.num_rows, bytes=len(out.getvalue()), sha256=sha256)
    new = msgspec.structs.replace(manifest, tables=manifest.tables | {table: described}, **changes)
    put(line, key_of(manifest), write_manifest(new))
    return new


def with_column(table: pa.Table, name: str, change: Callable[[list[Any]], list[Any]]) -> pa.Table:
    """Return the table with the values of one column changed."""
    at = table.schema.get_field_index(name)
    values = pa.array(change(table[name].to_pylist()), table.schema.field(name).type)
    return table.set_column(at, table.schema.field(name), values)


def at(topic: str, partition: int, offset: int) -> str:
    """Return the name of a place."""
    return f"{topic}[{partition}]@{offset}"


def records(line: Line, topic: str, partition: int = 0) -> list[Record]:
    """Return the records of a partition; taking one out of the list takes it out of the log."""
    return line.broker.records(Partition(topic, partition))


def header(record: Record, name: str) -> str:
    """Return a header's text."""
    return dict(record.headers).get(name, b"").decode()


def place_of_input(line: Line, topic: str, event_id: str) -> str:
    """Return where the event of this id stands."""
    (found,) = (r for r in line.records(topic) if header(r, "ce_id") == event_id)
    return at(topic, found.partition, found.offset)
