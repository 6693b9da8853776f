"""DuckDB behind the ports `Warehouse` and `Rebuilt`. The only file that imports duckdb.

The tables hold the current state: of each article its newest revision, nothing of a withdrawn one but the
fact. History is in the segments. One process writes at a time, as DuckDB wants it; readers may be many.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.errors import Misconfigured, RetryLater

_SEGMENTS = (
    "CREATE TABLE IF NOT EXISTS segments (manifest VARCHAR PRIMARY KEY, loaded_at TIMESTAMPTZ DEFAULT now(),"
    " articles BIGINT, events BIGINT)"
)


@contextmanager
def _foreign_errors(where: str) -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise RetryLater(f"{where} is in use by another program; close it and try again") from error
        raise Misconfigured(f"{where} cannot be opened: {error}; set DEPECHE_WAREHOUSE to another file") from error


class DuckDbWarehouse:
    """`Warehouse` in one DuckDB file, or in memory with path None."""

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self._where = str(path) if path else ":memory:"
        if path is not None and read_only and not path.exists():
            raise RetryLater(f"{path} does not exist yet; `depeche load` makes it")
        if path is not None and not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        with _foreign_errors(self._where):
            self._db: Any = duckdb.connect(self._where, read_only=read_only)
            self._db.execute("SET TimeZone = 'UTC'")
            if not read_only:
                self._db.execute(_SEGMENTS)

    def loaded(self) -> set[str]:
        """See `Warehouse.loaded`."""
        if not self._has("segments"):
            return set()
        return {row[0] for row in self._db.execute("SELECT manifest FROM segments").fetchall()}

    def load(self, manifest: str, tables: Mapping[str, pa.Table]) -> bool:
        """See `Warehouse.load`. Rows of older revisions give way; a late older revision is not inserted."""
        with self._transaction():
            if self._db.execute("SELECT 1 FROM segments WHERE manifest = ?", [manifest]).fetchone():
                return False
            self._add(manifest, tables)
        return True

    def rebuild(self, names: Sequence[str], segments: Iterable[tuple[str, Mapping[str, pa.Table]]]) -> None:
        """See `Rebuilt.rebuild`."""
        with self._transaction():
            for name in (*names, "segments"):
                self._db.execute(f"DROP TABLE IF EXISTS {name}")
            self._db.execute(_SEGMENTS)
            for manifest, tables in segments:
                self._add(manifest, tables)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _add(self, manifest: str, tables: Mapping[str, pa.Table]) -> None:
        for name, table in tables.items():
            self._db.register("incoming", table)
            self._db.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM incoming LIMIT 0")
            self._widen(name)
            self._db.unregister("incoming")
        self._replace(tables)
        counts = [tables["articles"].num_rows, tables["events"].num_rows]
        self._db.execute("INSERT INTO segments (manifest, articles, events) VALUES (?, ?, ?)", [manifest, *counts])

    def _widen(self, name: str) -> None:
        """Add the columns that the incoming rows have and the table, made by an earlier version, has not."""
        described = "SELECT column_name, column_type FROM (DESCRIBE {})"
        there = {row[0] for row in self._db.execute(described.format(name)).fetchall()}
        for column, kind in self._db.execute(described.format("incoming")).fetchall():
            if column not in there:
                self._db.execute(f'ALTER TABLE {name} ADD COLUMN "{column}" {kind}')

    def _replace(self, tables: Mapping[str, pa.Table]) -> None:
        """Put the newest revision of each incoming article in place of what is there."""
        self._db.register("incoming", tables["articles"])
        self._db.execute(
            "CREATE OR REPLACE TEMP TABLE newest AS SELECT article_id, max(revision) AS revision FROM incoming"
            " GROUP BY article_id HAVING max(revision) > coalesce("
            "   (SELECT max(a.revision) FROM articles a WHERE a.article_id = incoming.article_id), 0)"
        )
        self._db.unregister("incoming")
        for name, table in tables.items():
            self._db.execute(f"DELETE FROM {name} WHERE article_id IN (SELECT article_id FROM newest)")
            self._db.register("incoming", table)
            self._db.execute(
                f"INSERT INTO {name} BY NAME SELECT i.* FROM incoming i"
                " JOIN newest n ON i.article_id = n.article_id AND i.revision = n.revision"
            )
            self._db.unregister("incoming")

    def query(self, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
        """See `Warehouse.query`."""
        cursor = self._db.execute(sql)
        return [column[0] for column in cursor.description], cursor.fetchall()

    def close(self) -> None:
        """See `Warehouse.close`."""
        self._db.close()

    def _has(self, table: str) -> bool:
        found = self._db.execute("SELECT 1 FROM information_schema.tables WHERE table_name = ?", [table]).fetchone()
        return found is not None
