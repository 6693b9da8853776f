"""Verify knows of versions: each is checked by itself, and the tables with the one they hold."""

import pytest

from pipeline import flow, versions
from pipeline.operate.verify import Verdict, verify
from pipeline.operate.version_check import with_versions
from pipeline.replay import Replay
from tests.flow.replayed import Line


@pytest.fixture
def line() -> Line:
    made = Line()
    made.publish([made.raw(n) for n in range(12)])
    made.live()
    made.publish([made.raw(n) for n in range(20, 24)])
    made.live("normalise", "enrich")
    made.load()
    made.replay().run()
    return made


def verdict(line: Line) -> Verdict:
    return with_versions(verify, line.store, line.browser, line.warehouse)


def test_a_line_with_versions_is_sound_before_and_after_a_switch(line: Line) -> None:
    assert verdict(line).sound, verdict(line).faults
    line.switch("v2")
    line.load()
    found = verdict(line)
    assert found.sound, found.faults
    assert found.counts["version v2, tables: articles"] == 16
    assert found.unchecked == ()
    ranged = with_versions(verify, line.store, line.browser, line.warehouse, every=False)
    assert ranged.unchecked == ("tables: they hold version v2, which is checked whole or not at all",)
    line.live()
    assert verdict(line).sound


def planted(line: Line, replay: type[Replay]) -> list[tuple[str, str, str]]:
    """Return the faults of a version that a broken replay made."""
    job = line.replay("broken")
    job.__class__ = replay
    job.run()
    faults = [fault for fault in verdict(line).faults if fault.where.startswith("version broken, ")]
    return [(f.invariant, f.where, f.detail) for f in faults]


def test_a_record_that_a_version_left_out_is_named(line: Line) -> None:
    class Forgetful(Replay):
        def _take(self, chain, record):  # type: ignore[no-untyped-def]
            if (record.partition, record.offset) != (0, 2):
                super()._take(chain, record)

    place = f"version broken, {flow.FETCHED}[0]@2"
    assert planted(line, Forgetful) == [("one outcome each", place, "it has no outcome")]


def test_a_record_that_a_version_read_twice_is_named(line: Line) -> None:
    class Twice(Replay):
        def _take(self, chain, record):  # type: ignore[no-untyped-def]
            super()._take(chain, record)
            if (record.partition, record.offset) == (0, 2):
                super()._take(chain, record)

    place = f"version broken, {flow.FETCHED}[0]@2"
    assert ("one outcome each", place, "an outcome too many") in planted(line, Twice)


def test_a_changed_row_in_the_tables_of_a_version_is_a_fault(line: Line) -> None:
    line.switch("v2")
    line.load()
    line.warehouse._db.execute(
        "UPDATE articles SET revision = 7 WHERE article_id = (SELECT min(article_id) FROM articles)"
    )
    assert {f.invariant for f in verdict(line).faults} == {"tables"}


def test_a_missing_segment_of_a_version_is_a_fault(line: Line) -> None:
    line.replay("v3", segment_bytes=1).run()
    keys = [key for key in line.store.objects if key.startswith(f"{versions.root_of('v3')}log/")]
    del line.store.objects[sorted(keys)[1]]
    faults = verdict(line).faults
    assert {"chain"} <= {fault.invariant for fault in faults}
    assert all(fault.where.startswith("version v3, ") for fault in faults)
