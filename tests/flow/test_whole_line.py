"""From files to tables on memory twins: everything arrives once, and `verify` agrees."""

from typing import Any

import pytest

from pipeline import flow
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.memory import MemoryWriter
from pipeline.errors import DepecheError
from pipeline.events import Rejected, Withdrawn
from pipeline.fetch import Source, pull
from pipeline.load import load
from pipeline.manifest import manifests
from pipeline.pull import pull_source
from tests.fixtures.seeds import BAD
from tests.flow.line import Line


@pytest.fixture(scope="module")
def once() -> Line:
    line = Line()
    line.night()
    return line


@pytest.fixture
def line() -> Line:
    """A small line with a night behind it that a test may break."""
    made = Line()
    made.publish([made.raw(n) for n in range(12)])
    made.steps()
    return made


def test_every_seed_article_is_in_the_tables_once(once: Line) -> None:
    assert once.warehouse.query("SELECT count(*), count(DISTINCT article_id) FROM articles")[1] == [(33, 33)]
    verdict = once.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts["normalise: inputs"] == verdict.counts["normalise: emitted"] == 33


def test_a_second_night_brings_nothing_new_and_the_same_ids() -> None:
    line = Line()
    line.night()
    first = line.ids()
    again = line.night()
    assert (again.segments, again.articles) == (0, 0)
    assert line.ids() == first
    assert line.verify().sound


def test_two_lines_give_the_same_ids(once: Line) -> None:
    other = Line()
    other.night()
    assert other.ids() == once.ids()
    sql = "SELECT event_id FROM events ORDER BY event_id"
    assert other.warehouse.query(sql) == once.warehouse.query(sql)


def test_a_revision_replaces_and_a_withdrawal_removes(line: Line) -> None:
    line.publish([line.raw(1, "Le ministre a démenti mardi avoir accusé la Russie, selon son cabinet à Paris.")])
    raw = line.raw(2)
    line.publish(
        [
            Withdrawn(
                article_id=raw.article_id,
                revision=0,
                source="test",
                url=None,
                reason="410 Gone",
                fetched_at=line.clock.now(),
            )
        ]
    )
    line.steps()
    rows = dict(line.warehouse.query("SELECT article_id, revision FROM articles WHERE NOT withdrawn")[1])
    assert rows[line.raw(1).article_id] == 2
    assert raw.article_id not in rows
    gone = f"SELECT count(*) FROM mentions WHERE article_id = '{raw.article_id}'"
    assert line.warehouse.query(gone)[1] == [(0,)]
    assert line.verify().sound


def test_a_record_that_cannot_be_read_is_kept_by_the_archive_and_counted(line: Line) -> None:
    line.broker.append(line_message(b"\xff broken"))
    line.steps()
    counted = [
        m.tables["undecodable"].rows for _, m in manifests(line.store, flow.ENRICHED) if "undecodable" in m.tables
    ]
    assert counted == [1]


def line_message(value: bytes) -> Any:
    from pipeline.ports import Message

    return Message(flow.ENRICHED, b"k", (), value, partition=0)


def test_loading_stops_at_a_file_that_is_not_what_was_committed(line: Line) -> None:
    _, manifest = next(manifests(line.store, flow.ENRICHED))
    key = manifest.tables["articles"].key
    data, metadata, at = line.store.objects[key]
    line.store.objects[key] = (data[:-1] + b"x", metadata, at)
    with pytest.raises(DepecheError, match="SHA-256"):
        load(line.store, DuckDbWarehouse(None), topic=flow.ENRICHED)


def test_bad_input_stops_nothing_and_is_kept_with_its_bytes() -> None:
    line = Line()
    line.publish([line.raw(n) for n in range(3)])
    for kind, path in (("text", "*.txt"), ("jsonl", "*.jsonl")):
        report = pull_source(
            Source(name=f"bad-{kind}", kind=kind, path=path),
            None,
            pull=lambda s, state: pull(
                s,
                state,
                fetcher=None,  # type: ignore[arg-type]
                files=DirectoryStore(BAD),
                now=line.clock.now(),
            ),
            writer=MemoryWriter(line.broker, f"fetch.bad-{kind}"),
            clock=line.clock,
        )
        assert report.ok
    line.steps()
    refused = [event.data for event in line.events(flow.rejected(flow.FETCHED))]
    assert all(isinstance(data, Rejected) for data in refused)
    by_place = {data.position: (data.stage, data.reason) for data in refused if isinstance(data, Rejected)}
    assert by_place["empty.txt"] == ("fetch", "empty")
    assert by_place["not-json.jsonl:1"] == ("fetch", "malformed_json")
    assert ("normalise", "not_french") in by_place.values()
    kept = {data.position: data.original for data in refused if isinstance(data, Rejected)}
    assert kept["not-json.jsonl:3"] == (BAD / "not-json.jsonl").read_bytes().splitlines()[2]
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert line.warehouse.query("SELECT count(*) FROM articles WHERE source LIKE 'bad-%'")[1] == [(5,)]
