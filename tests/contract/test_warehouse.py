"""What a warehouse promises: each segment once, the newest revision of each article, nothing of a withdrawn one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.errors import RetryLater
from pipeline.store.tables import ENRICHED_TABLES


@pytest.fixture(params=["file", "memory"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DuckDbWarehouse]:
    made = DuckDbWarehouse(tmp_path / "w.duckdb" if request.param == "file" else None)
    yield made
    made.close()


def tables(*articles: tuple[str, int, bool], events: int = 2) -> dict[str, pa.Table]:
    """Return a segment's tables: each article with so many events, but none for a withdrawn one."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ENRICHED_TABLES}
    for name, revision, withdrawn in articles:
        origin = {"article_id": name, "revision": revision, "source_event_id": f"{name}{revision}", "log_offset": 0}
        rows["articles"].append(origin | {"withdrawn": withdrawn, "text": None if withdrawn else f"texte {revision}"})
        if not withdrawn:
            rows["events"] += [origin | {"event_id": f"{name}{revision}{n}", "type": "AID"} for n in range(events)]
    return {name: pa.Table.from_pylist(rows[name], schema) for name, schema in ENRICHED_TABLES.items()}


def answer(warehouse: DuckDbWarehouse, sql: str) -> Sequence[tuple[object, ...]]:
    return warehouse.query(sql)[1]


def test_a_segment_is_loaded_once(warehouse: DuckDbWarehouse) -> None:
    segment = tables(("a", 1, False), ("b", 1, False))
    assert warehouse.load("s1", segment)
    assert not warehouse.load("s1", segment)
    assert warehouse.loaded() == {"s1"}
    assert answer(warehouse, "SELECT count(*) FROM articles") == [(2,)]
    assert answer(warehouse, "SELECT count(*) FROM events") == [(4,)]


def test_a_revision_takes_the_place_of_the_one_before(warehouse: DuckDbWarehouse) -> None:
    warehouse.load("s1", tables(("a", 1, False), ("b", 1, False)))
    warehouse.load("s2", tables(("a", 2, False), events=1))
    assert answer(warehouse, "SELECT article_id, revision, text FROM articles ORDER BY ALL") == [
        ("a", 2, "texte 2"),
        ("b", 1, "texte 1"),
    ]
    assert answer(warehouse, "SELECT event_id FROM events WHERE article_id = 'a'") == [("a20",)]


def test_two_revisions_in_one_segment_leave_the_newer(warehouse: DuckDbWarehouse) -> None:
    warehouse.load("s1", tables(("a", 1, False), ("a", 2, False)))
    assert answer(warehouse, "SELECT revision FROM articles") == [(2,)]
    assert answer(warehouse, "SELECT DISTINCT revision FROM events") == [(2,)]


def test_an_older_revision_that_comes_late_changes_nothing(warehouse: DuckDbWarehouse) -> None:
    warehouse.load("s2", tables(("a", 2, False)))
    assert warehouse.load("s1", tables(("a", 1, False)))
    assert answer(warehouse, "SELECT revision FROM articles") == [(2,)]
    assert answer(warehouse, "SELECT DISTINCT revision FROM events") == [(2,)]


def test_a_withdrawn_article_leaves_only_the_fact(warehouse: DuckDbWarehouse) -> None:
    warehouse.load("s1", tables(("a", 1, False)))
    warehouse.load("s2", tables(("a", 2, True)))
    assert answer(warehouse, "SELECT withdrawn, text FROM articles") == [(True, None)]
    assert answer(warehouse, "SELECT count(*) FROM events") == [(0,)]


def test_a_load_that_fails_leaves_nothing_behind(warehouse: DuckDbWarehouse) -> None:
    warehouse.load("s1", tables(("a", 1, False)))
    broken = tables(("b", 1, False))
    broken["events"] = broken["events"].drop_columns("revision").append_column("revision", pa.array(["x", "y"]))
    with pytest.raises(Exception, match="'x'"):
        warehouse.load("s2", broken)
    assert warehouse.loaded() == {"s1"}
    assert answer(warehouse, "SELECT article_id FROM articles") == [("a",)]


def test_a_column_or_table_that_a_later_version_adds_joins_what_is_there(warehouse: DuckDbWarehouse) -> None:
    earlier = tables(("a", 1, False))
    earlier["events"] = earlier["events"].drop_columns("inferred")
    del earlier["quotes"]
    warehouse.load("s1", earlier)
    warehouse.load("s2", tables(("b", 1, False), events=1))
    rows = answer(warehouse, "SELECT article_id, inferred FROM events ORDER BY ALL")
    assert rows == [("a", None), ("a", None), ("b", None)]
    assert answer(warehouse, "SELECT count(*) FROM quotes") == [(0,)]


def test_a_query_gives_names_and_rows(warehouse: DuckDbWarehouse) -> None:
    assert warehouse.query("SELECT 1 AS one, 'x' AS two") == (["one", "two"], [(1, "x")])


def test_a_new_warehouse_holds_nothing(warehouse: DuckDbWarehouse) -> None:
    assert warehouse.loaded() == set()


def test_reading_before_the_first_load_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RetryLater, match="depeche load"):
        DuckDbWarehouse(tmp_path / "absent.duckdb", read_only=True)


def test_a_rebuild_puts_the_new_tables_in_place_of_the_old(warehouse: DuckDbWarehouse) -> None:
    warehouse.load("s1", tables(("a", 5, False), ("b", 1, False)))
    warehouse.rebuild(list(ENRICHED_TABLES), [("v/s1", tables(("a", 1, False))), ("v/s2", tables(("c", 1, False)))])
    assert warehouse.loaded() == {"v/s1", "v/s2"}
    assert answer(warehouse, "SELECT article_id, revision FROM articles ORDER BY ALL") == [("a", 1), ("c", 1)]
    assert answer(warehouse, "SELECT count(*) FROM events") == [(4,)]
    warehouse.rebuild(list(ENRICHED_TABLES), [("v/s1", tables(("a", 1, False)))])
    assert warehouse.loaded() == {"v/s1"}


def test_a_rebuild_that_fails_on_the_way_leaves_the_old_tables(warehouse: DuckDbWarehouse) -> None:
    warehouse.load("s1", tables(("a", 5, False), ("b", 1, False)))

    def broken() -> Iterator[tuple[str, dict[str, pa.Table]]]:
        yield "v/s1", tables(("c", 1, False))
        raise RetryLater("the store is down")

    with pytest.raises(RetryLater):
        warehouse.rebuild(list(ENRICHED_TABLES), broken())
    assert warehouse.loaded() == {"s1"}
    assert answer(warehouse, "SELECT article_id FROM articles ORDER BY ALL") == [("a",), ("b",)]
    assert answer(warehouse, "SELECT count(*) FROM events") == [(4,)]
