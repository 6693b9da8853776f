"""The tables hold what the segments say: of each article the newest loaded revision, once, with all its rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.manifest import manifest_key
from pipeline.operate.verify.naming import article_ids
from pipeline.operate.verify.segments import SIDE_TABLES, Reading
from pipeline.operate.verify.spill import Rows, Spill, fingerprints, groups
from pipeline.operate.verify.verdict import Findings, place, place_name
from pipeline.ports import ObjectStore, Warehouse

_TABLES = ("articles", *SIDE_TABLES)
_PAGE = 50_000
_FIELDS = {"kind": "u1", "place": "<i8", "low": "<i4", "high": "<i4", "withdrawn": "u1"} | dict.fromkeys(_TABLES, "<i4")
_SEGMENT, _TABLE = 0, 1


class Tables:
    """Gathers what loaded segments say of articles, then compares it with the tables."""

    def __init__(self, topic: str, warehouse: Warehouse, findings: Findings) -> None:
        self._topic = topic
        self._warehouse = warehouse
        self._findings = findings
        self._loaded = warehouse.loaded()
        self._missing = set(self._loaded)
        self._rows = Spill(_FIELDS)
        self._blind = False
        self._waiting = 0

    def expect(self, reading: Reading) -> None:
        """Take what a segment says, if it is in the tables already."""
        manifest = reading.manifest
        key = manifest_key(manifest.topic, manifest.partition, manifest.start)
        self._missing.discard(key)
        if key not in self._loaded:
            self._waiting += 1
            return
        articles: Any = reading.articles
        if not reading.whole or articles is None or articles["key"].null_count or articles["revision"].null_count:
            self._blind = True
            return
        counts = {name: articles[name].fill_null(0).to_numpy() for name in SIDE_TABLES}
        self._rows.add(
            fingerprints(articles["key"]),
            kind=_SEGMENT,
            place=place(manifest.partition, articles["log_offset"].to_numpy()),
            low=articles["revision"].to_numpy(),
            high=articles["revision"].to_numpy(),
            withdrawn=articles["withdrawn"].fill_null(False).to_numpy(),
            articles=1,
            **counts,
        )

    def settle(self, store: ObjectStore) -> None:
        """Compare with the tables, article by article."""
        self._findings.count("tables: segments waiting to be loaded", self._waiting)
        for key in sorted(self._missing):
            self._findings.fault("tables", key, "the tables hold this segment, the chain does not")
        held = 0
        for table in self._present():
            for keys, page in self._pages(table):
                held += int(page["rows"].sum()) if table == "articles" else 0
                numbers = {name: page["rows"] if name == table else 0 for name in _TABLES}
                spans = {name: page[name] for name in ("low", "high", "withdrawn")}
                self._rows.add(keys, kind=_TABLE, place=_TABLES.index(table), **spans, **numbers)
        self._findings.count("tables: articles", held)
        if self._blind or self._missing:
            self._findings.unchecked("tables: some loaded segments cannot be read, so their rows cannot be compared")
        elif self._warehouse.loaded() != self._loaded:
            self._findings.unchecked("tables: segments were loaded meanwhile; verify again")
        else:
            self._report(store)
        self._rows.close()

    def _present(self) -> list[str]:
        _, rows = self._warehouse.query("SELECT DISTINCT table_name FROM information_schema.tables")
        there = {str(row[0]) for row in rows}
        return [name for name in _TABLES if name in there]

    def _pages(self, table: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield keys and counts per article, in order of article_id, so many at a time."""
        for names, columns in self._named_pages(table):
            yield fingerprints(names), columns

    def _named_pages(self, table: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        _, rows = self._warehouse.query(f"SELECT count(*) FROM {table} WHERE article_id IS NULL")
        if rows[0][0]:
            self._findings.fault("tables", table, f"{rows[0][0]} rows are of no article")
        withdrawn = "max(CASE WHEN withdrawn THEN 1 ELSE 0 END)" if table == "articles" else "0"
        after = ""
        while True:
            _, rows = self._warehouse.query(
                f"SELECT article_id, count(*), min(coalesce(revision, 0)), max(coalesce(revision, 0)), {withdrawn}"
                f" FROM {table} WHERE article_id IS NOT NULL{after} GROUP BY article_id"
                f" ORDER BY article_id LIMIT {_PAGE}"
            )
            if not rows:
                return
            names, *numbers = zip(*rows, strict=True)
            fields = ("rows", "low", "high", "withdrawn")
            columns = {name: np.array(column, np.int64) for name, column in zip(fields, numbers, strict=True)}
            yield pa.array([str(name) for name in names], pa.string()), columns
            after = " AND article_id > '{}'".format(str(names[-1]).replace("'", "''"))

    def _compared(self, rows: Rows) -> Iterator[tuple[Rows, Rows | None]]:
        """Yield, of each article that differs, its rows of the tables and the newest row of the segments."""
        # The newest revision of the segments stands last of them; of two alike the tables took the first.
        rows = rows[np.lexsort((-rows["place"], rows["high"], -rows["kind"].astype(np.int8), rows["lo"], rows["hi"]))]
        start = groups(rows)
        ends = np.append(start[1:], len(rows))
        group = np.repeat(np.arange(len(start)), ends - start)
        newest = rows[ends - 1]
        known = newest["kind"] == _SEGMENT
        of_tables = rows["kind"] == _TABLE
        wrong = ~known
        for name in _TABLES:
            held = np.bincount(group, np.where(of_tables, rows[name], 0), len(start)).astype(np.int64)
            wrong |= held != newest[name]
        expected = newest[group]
        stale = of_tables & ((rows["low"] != expected["high"]) | (rows["high"] != expected["high"]))
        stale |= of_tables & (rows["place"] == 0) & (rows["withdrawn"] != expected["withdrawn"])
        wrong |= np.bincount(group, stale, len(start)) > 0
        for n in np.flatnonzero(wrong).tolist():
            mine = rows[start[n] : ends[n]]
            yield mine[mine["kind"] == _TABLE], newest[n : n + 1] if known[n] else None

    def _report(self, store: ObjectStore) -> None:
        shown: list[tuple[Rows, Rows | None]] = []
        room, more = self._findings.room("tables"), 0
        for rows in self._rows.chunks():
            for each in self._compared(rows):
                if len(shown) < room:
                    shown.append(each)
                else:
                    more += 1
        names = self._names({_key(held[0]) for held, _ in shown if len(held)})
        unloaded = {int(newest["place"][0]) for held, newest in shown if newest is not None and not len(held)}
        from_segments = article_ids(store, self._topic, unloaded)
        for held, newest in shown:
            at_ = None if newest is None else int(newest["place"][0])
            name = names.get(_key(held[0])) if len(held) else from_segments.get(at_ or 0)
            for table, said in _words(held, newest):
                where = table if at_ is None else place_name(self._topic, at_)
                self._findings.fault("tables", where, f"{table}: article {name} {said}")
        self._findings.more("tables", more)

    def _names(self, keys: set[tuple[int, int]]) -> dict[tuple[int, int], str]:
        """Return the ids of articles by their keys, from the tables."""
        out: dict[tuple[int, int], str] = {}
        wanted = np.array([hi for hi, _ in keys], np.uint64)
        for table in self._present() if keys else ():
            for names, _ in self._named_pages(table):
                found = fingerprints(names)
                for n in np.flatnonzero(np.isin(found[:, 0], wanted)).tolist():
                    out[int(found[n, 0]), int(found[n, 1])] = names[n].as_py()
        return out


def _key(row: Any) -> tuple[int, int]:
    return int(row["hi"]), int(row["lo"])


def _words(held: Rows, newest: Rows | None) -> Iterator[tuple[str, str]]:
    """Yield the table and how it differs from the segments, for each table that does."""
    by_table = {_TABLES[int(row["place"])]: row for row in held}
    for table in _TABLES:
        row = by_table.get(table)
        rows = 0 if row is None else int(row[table])
        if newest is None:
            if rows:
                yield table, f"has {rows} rows, the loaded segments do not know it"
            continue
        expected = newest[0]
        if rows != expected[table]:
            yield table, f"has {rows} rows, its newest segment says {expected[table]}"
        elif row is not None and (row["low"] != expected["high"] or row["high"] != expected["high"]):
            found = " to ".join(str(n) for n in sorted({int(row["low"]), int(row["high"])}))
            yield table, f"is revision {found}, its newest segment says {expected['high']}"
        elif row is not None and table == "articles" and row["withdrawn"] != expected["withdrawn"]:
            yield table, f"is {'withdrawn' if row['withdrawn'] else 'not withdrawn'}, its newest segment says otherwise"
