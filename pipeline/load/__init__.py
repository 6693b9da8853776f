"""Segments → tables, each segment exactly once, however often and however concurrently it runs.

The manifests say which files there are; a glob over the data folders would count garbage too. What a
warehouse has loaded it remembers itself, in the transaction that loads it.
"""

import io
from collections.abc import Callable

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.manifest import Manifest, checked, manifests
from pipeline.ports import ObjectStore, Warehouse

TABLES = ("articles", "mentions", "entities", "times", "events", "quotes")


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one load added: segments, and rows read of each table."""

    segments: int
    articles: int
    mentions: int
    entities: int
    times: int
    events: int
    quotes: int = 0


def load(
    store: ObjectStore, warehouse: Warehouse, *, topic: str, progress: Callable[[str], None] = lambda _: None
) -> LoadReport:
    """Load every closed segment that is not in the warehouse yet.

    Raises `DepecheError` naming the object when a file is not what its manifest says, `RetryLater` when the
    store or the warehouse is out of reach; what was loaded before stays.
    """
    known = warehouse.loaded()
    segments = 0
    rows = dict.fromkeys(TABLES, 0)
    for key, manifest in manifests(store, topic):
        if key in known:
            continue
        # A segment of an earlier version has no table of quotations.
        tables = {name: _table(store, manifest, name) for name in TABLES if name in manifest.tables}
        if warehouse.load(key, tables):
            segments += 1
            for name, table in tables.items():
                rows[name] += table.num_rows
            progress(key)
    return LoadReport(segments=segments, **rows)


def _table(store: ObjectStore, manifest: Manifest, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(checked(manifest.tables[name], store)))
