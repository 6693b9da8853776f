"""The examples in docs/ are run, and its lists are held to the code."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import flow
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.memory_model import MemoryModel
from pipeline.load import load
from pipeline.settings import Settings
from pipeline.store.tables import ENRICHED_TABLES, UNDECODABLE
from tests.flow.world import World, drain

DOCS = Path(__file__).parent.parent.parent / "docs"
TEXT = (
    "La Russie a accusé l'Ukraine lundi à Kiev. Les syndicats ont manifesté mardi à Lyon. "
    "La France a livré des vivres à l'Ukraine. Le ministre s'est exprimé devant la presse à la mi-journée."
)


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def line() -> World:
    world = World()
    world.model = MemoryModel(
        {"Russie": "LOC", "Ukraine": "LOC", "Kiev": "LOC", "Lyon": "LOC", "France": "LOC", "syndicats": "ORG"},
        {"accusé": "ACCUSE", "manifesté": "PROTEST", "livré": "AID"},
    )
    world.publish([world.raw(1, TEXT)])
    for name in ("normalise", "enrich"):
        drain(world.transform(name))
    drain(world.archive())
    return world


@pytest.mark.parametrize("sql", blocks("sql.md", "sql"))
def test_an_sql_example_has_an_answer(line: World, sql: str) -> None:
    warehouse = DuckDbWarehouse(None)
    load(line.store, warehouse, topic=flow.ENRICHED)
    columns, rows = warehouse.query(sql)
    assert rows, f"no answer to: {sql}"
    assert len(set(columns)) == len(columns)


def test_there_are_five_sql_examples() -> None:
    assert len(blocks("sql.md", "sql")) == 5


def test_the_reader_of_committed_files_reads_what_was_committed(line: World) -> None:
    (code,) = blocks("warehouse.md", "python")
    scope: dict[str, object] = {}
    exec(code, scope)
    line.store.create("data/topic=news.article.enriched/table=events/dt=2026-01-01/p=00000/garbage.parquet", b"x")
    events = scope["committed"](line.store, "events")  # type: ignore[operator]
    assert isinstance(events, pa.Table)
    assert sorted(events["type"].to_pylist()) == ["ACCUSE", "AID", "PROTEST"]


def test_every_column_is_documented() -> None:
    told = (DOCS / "warehouse.md").read_text(encoding="utf-8")
    for name, schema in (ENRICHED_TABLES | {"undecodable": UNDECODABLE}).items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", told, re.MULTILINE)
        columns = set(re.findall(r"\w+", row)) | {"article_id", "revision", "source_event_id", "log_offset"}
        assert set(schema.names) <= columns


def test_every_setting_is_documented() -> None:
    told = (DOCS / "cli.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"`DEPECHE_{name.upper()}`" in told


def test_links_between_documents_lead_somewhere() -> None:
    root = DOCS.parent
    for page in [root / "README.md", root / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
