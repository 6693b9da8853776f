"""`verify` on memory twins: planted faults of every class are found where they are, and nothing else is blamed."""

import random
from collections.abc import Callable

import msgspec
import pytest

from pipeline import flow
from pipeline.errors import DepecheError
from pipeline.manifest import read_manifest
from tests.flow import planted_chain, planted_outcomes, planted_records
from tests.flow.broken import put
from tests.flow.line import Line
from tests.flow.nights import built, line
from tests.flow.planted_outcomes import Found, an_article, newest

__all__ = ["built", "line"]
F, E = flow.FETCHED, flow.ENRICHED
FAULTS = [*planted_chain.FAULTS, *planted_records.FAULTS, *planted_outcomes.FAULTS]


def found(line: Line) -> Found:
    """Return the invariants that are broken, and where."""
    return {(fault.invariant, fault.where) for fault in line.verify().faults}


def test_a_sound_line_has_no_fault_and_adds_up(line: Line) -> None:
    verdict = line.verify()
    assert verdict.faults == ()
    assert verdict.unchecked == ()
    counts = verdict.counts
    assert counts["normalise: inputs"] == 50
    assert counts["normalise: emitted"] == counts["enrich: inputs"] == counts["enrich: emitted"] == 47
    assert (counts["normalise: unchanged"], counts["normalise: rejected"]) == (1, 2)
    assert counts[f"{F}: archived"] == 50
    assert counts[f"{E}: waiting for the archive"] == 0
    assert counts["tables: articles"] == 45
    assert (counts["garbage: files"], counts["garbage: bytes"]) == (0, 0)


@pytest.mark.parametrize("plant", FAULTS)
def test_a_planted_fault_is_found_where_it_is_and_nothing_else_is_blamed(
    line: Line, plant: Callable[[Line], Found]
) -> None:
    expected = plant(line)
    verdict = line.verify()
    assert {(fault.invariant, fault.where) for fault in verdict.faults} == expected, verdict.faults
    assert not verdict.sound


@pytest.mark.parametrize("table", ["articles", "mentions", "entities", "times", "events", "quotes"])
@pytest.mark.parametrize("how", ["stale", "doubled", "missing", "foreign", "nobody's"])
def test_rows_of_a_table_that_are_not_those_of_the_segments_are_named(line: Line, table: str, how: str) -> None:
    name = an_article(line, table)
    one = f"(SELECT min(rowid) FROM {table} WHERE article_id = '{name}')"
    change, expected = {
        "stale": (f"UPDATE {table} SET revision = 0 WHERE rowid = {one}", newest(line, name)),
        "doubled": (f"INSERT INTO {table} SELECT * FROM {table} WHERE rowid = {one}", newest(line, name)),
        "missing": (f"DELETE FROM {table} WHERE rowid = {one}", newest(line, name)),
        "foreign": (f"INSERT INTO {table} (article_id, revision) VALUES ('nowhere', 1)", {("tables", table)}),
        "nobody's": (f"INSERT INTO {table} (revision) VALUES (1)", {("tables", table)}),
    }[how]
    line.warehouse._db.execute(change)
    assert found(line) == expected


def test_bytes_that_change_anywhere_in_the_store_are_found(line: Line) -> None:
    sound = dict(line.store.objects)
    chance = random.Random(20261127)
    tried = 0
    for _ in range(150):
        line.store.objects = dict(sound)
        key = chance.choice(sorted(sound))
        data = bytearray(sound[key][0])
        how = chance.choice(("flip", "cut", "append", "delete", "swap"))
        if how == "flip":
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        elif how == "cut":
            del data[chance.randrange(len(data)) :]
        elif how == "append":
            data += bytes([chance.randrange(256)])
        elif how == "swap":
            data = bytearray(sound[chance.choice(sorted(sound))][0])
        put(line, key, bytes(data))
        if how == "delete":
            del line.store.objects[key]
        elif same_content(key, bytes(data), sound[key][0]):
            continue
        tried += 1
        assert not line.verify().sound, (key, how, bytes(data)[:1000])
    assert tried > 110


def same_content(key: str, one: bytes, other: bytes) -> bool:
    """Tell whether an object says the same, but for when and by which version a segment was cut: no other witness."""
    if one == other or not key.endswith(".json"):
        return one == other
    try:
        a, b = read_manifest(one), read_manifest(other)
    except DepecheError:
        return False
    return msgspec.structs.replace(a, created_at=b.created_at, code_version=b.code_version) == b
