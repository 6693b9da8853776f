"""Segments → tables of one version, each segment exactly once, however often and however concurrently it runs.

The manifests say which files there are; a glob over the data folders would count garbage too. What a
warehouse has loaded it remembers itself, in the transaction that loads it.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Set

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.manifest import Manifest, checked, manifests
from pipeline.ports import ObjectStore, Rebuilt, Warehouse
from pipeline.versions import LIVE, root_of, view

TABLES = ("articles", "mentions", "entities", "times", "events", "quotes")


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one load added, and of which version: segments, and rows read of each table."""

    segments: int
    articles: int
    mentions: int
    entities: int
    times: int
    events: int
    quotes: int = 0
    version: str = LIVE


def load(
    store: ObjectStore,
    warehouse: Warehouse,
    *,
    topic: str,
    version: str = LIVE,
    progress: Callable[[str], None] = lambda _: None,
) -> LoadReport:
    """Load every closed segment of a version that is not in the warehouse yet.

    Raises `DepecheError` naming the object when a file is not what its manifest says, `RetryLater` when the
    store or the warehouse is out of reach; what was loaded before stays.
    """
    known = warehouse.loaded()
    counted = _Counted()
    for key, tables in _segments(store, topic, version, known):
        if warehouse.load(key, tables):
            counted.add(tables)
            progress(key)
    return counted.report(version)


def replace(
    store: ObjectStore,
    warehouse: Rebuilt,
    *,
    topic: str,
    version: str,
    progress: Callable[[str], None] = lambda _: None,
) -> LoadReport:
    """Put a version in place of what the tables hold, in one transaction: the old tables or the new, never a mix."""
    counted = _Counted()

    def each() -> Iterator[tuple[str, Mapping[str, pa.Table]]]:
        for key, tables in _segments(store, topic, version, set()):
            yield key, tables
            counted.add(tables)
            progress(key)

    warehouse.rebuild(TABLES, each())
    return counted.report(version)


class _Counted:
    def __init__(self) -> None:
        self._segments = 0
        self._rows = dict.fromkeys(TABLES, 0)

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        self._segments += 1
        for name, table in tables.items():
            self._rows[name] += table.num_rows

    def report(self, version: str) -> LoadReport:
        return LoadReport(version=version, segments=self._segments, **self._rows)


def _segments(
    store: ObjectStore, topic: str, version: str, known: Set[str]
) -> Iterator[tuple[str, Mapping[str, pa.Table]]]:
    """Yield full key and tables of each segment that is not known yet."""
    seen = view(store, version)
    for name, manifest in manifests(seen, topic):
        key = root_of(version) + name
        if key not in known:
            # A segment of an earlier version has no table of quotations.
            yield key, {table: _table(seen, manifest, table) for table in TABLES if table in manifest.tables}


def _table(store: ObjectStore, manifest: Manifest, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(checked(manifest.tables[name], store)))
