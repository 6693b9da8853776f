"""From files to tables on memory twins: everything arrives once, and `verify` finds what is broken on purpose."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline import flow
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.memory import MemoryWriter
from pipeline.errors import DepecheError
from pipeline.events import Rejected, Withdrawn
from pipeline.fetch import Source, pull
from pipeline.load import LoadReport, load
from pipeline.manifest import manifest_prefix, manifests
from pipeline.operate.verify import Verdict, verify
from pipeline.ports import Partition
from pipeline.pull import pull_source, remembered
from tests.fixtures.seeds import BAD, SEEDS
from tests.flow.world import World, drain


class Line(World):
    """A world with sources and a warehouse."""

    def __init__(self) -> None:
        super().__init__()
        self.warehouse = DuckDbWarehouse(None)

    def night(self) -> LoadReport:
        """Pull, run every step until the log is quiet, and load."""
        states = remembered(self.browser)
        for kind, path in (("text", "articles/*.txt"), ("jsonl", "archives/*.jsonl")):
            source = Source(name=kind, kind=kind, path=path)
            report = pull_source(
                source,
                states.get(kind),
                pull=lambda s, state: pull(
                    s,
                    state,
                    fetcher=None,
                    files=DirectoryStore(SEEDS),
                    now=self.clock.now(),  # type: ignore[arg-type]
                ),
                writer=MemoryWriter(self.broker, f"fetch.{kind}"),
                clock=self.clock,
            )
            assert report.ok, report
        return self.steps()

    def steps(self) -> LoadReport:
        for name in ("normalise", "enrich"):
            worker = self.transform(name)
            drain(worker, polls=200)
            worker.finish()
        archive = self.archive()
        drain(archive, polls=200)
        archive.finish()
        return load(self.store, self.warehouse, topic=flow.ENRICHED)

    def verify(self) -> Verdict:
        return verify(self.store, self.browser, self.warehouse)

    def ids(self) -> set[str]:
        return {str(row[0]) for row in self.warehouse.query("SELECT article_id FROM articles")[1]}


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


# Planted faults: each class is found and named.


def some_manifest(line: Line, topic: str = flow.ENRICHED, which: int = 0) -> tuple[str, dict[str, Any]]:
    keys = sorted(k for k in line.store.objects if k.startswith(manifest_prefix(topic)))
    return keys[which], json.loads(line.store.objects[keys[which]][0])


def rewrite(line: Line, key: str, data: bytes) -> None:
    _, metadata, at = line.store.objects[key]
    line.store.objects[key] = (data, metadata, at)


def missing_segment(line: Line) -> str:
    line.publish([line.raw(n) for n in range(20, 32)])
    line.steps()
    key, manifest = some_manifest(line)
    del line.store.objects[key]
    return f"{flow.ENRICHED}[{manifest['partition']}]"


def gap(line: Line) -> str:
    line.publish([line.raw(n) for n in range(20, 40)])
    line.steps()
    key, manifest = some_manifest(line)
    rewrite(line, key, json.dumps(manifest | {"end": manifest["end"] - 1}).encode())
    return f"{flow.ENRICHED}[{manifest['partition']}]@{manifest['end'] - 1}"


def overlap(line: Line) -> str:
    line.publish([line.raw(n) for n in range(20, 40)])
    line.steps()
    key, manifest = some_manifest(line)
    rewrite(line, key, json.dumps(manifest | {"end": manifest["end"] + 1}).encode())
    return f"{flow.ENRICHED}[{manifest['partition']}]@{manifest['end']}"


def missing_file(line: Line) -> str:
    _, manifest = some_manifest(line)
    del line.store.objects[manifest["tables"]["events"]["key"]]
    return str(manifest["tables"]["events"]["key"])


def changed_bytes(line: Line) -> str:
    _, manifest = some_manifest(line, flow.FETCHED)
    key = manifest["tables"]["records"]["key"]
    data = bytearray(line.store.objects[key][0])
    data[len(data) // 2] ^= 1
    rewrite(line, key, bytes(data))
    return str(key)


def wrong_count(line: Line) -> str:
    key, manifest = some_manifest(line, flow.FETCHED)
    rewrite(line, key, json.dumps(manifest | {"records": manifest["records"] + 1}).encode())
    return key


def doubled_event(line: Line) -> str:
    record = line.records(flow.FETCHED)[0]
    line.broker.append(
        line_message(b"")._replace(
            topic=flow.FETCHED, key=record.key, headers=record.headers, value=record.value, partition=record.partition
        )
    )
    line.steps()
    return dict(record.headers)["ce_id"].decode()


def input_without_outcome(line: Line) -> str:
    partition = Partition(flow.NORMALISED, 0)
    line.broker.records(partition).pop()
    return "normalise"


def stale_table(line: Line) -> str:
    line.warehouse._db.execute(
        "UPDATE articles SET revision = 7 WHERE article_id = (SELECT min(article_id) FROM articles)"
    )
    return "revision 7"


def doubled_row(line: Line) -> str:
    line.warehouse._db.execute("INSERT INTO articles SELECT * FROM articles LIMIT 1")
    return "stands 2 times"


@pytest.mark.parametrize(
    ("plant", "invariant"),
    [
        (missing_segment, "log in chain"),
        (gap, "chain"),
        (overlap, "chain"),
        (missing_file, "files"),
        (changed_bytes, "files"),
        (wrong_count, "counts"),
        (doubled_event, "each event id once"),
        (input_without_outcome, "one outcome each"),
        (stale_table, "tables"),
        (doubled_row, "tables"),
    ],
)
def test_a_planted_fault_is_found_and_named(line: Line, plant: Callable[[Line], str], invariant: str) -> None:
    assert line.verify().sound
    named = plant(line)
    faults = line.verify().faults
    assert invariant in {fault.invariant for fault in faults}
    assert any(named.split("@")[0] in f"{fault.where} {fault.detail}" for fault in faults)
    if "@" in named:
        assert named in {fault.where for fault in faults}


def test_loading_stops_at_a_file_that_is_not_what_was_committed(line: Line) -> None:
    named = changed_bytes_of_articles(line)
    with pytest.raises(DepecheError, match="SHA-256"):
        load(line.store, DuckDbWarehouse(None), topic=flow.ENRICHED)
    assert named


def changed_bytes_of_articles(line: Line) -> str:
    _, manifest = some_manifest(line)
    key = manifest["tables"]["articles"]["key"]
    rewrite(line, key, line.store.objects[key][0][:-1] + b"x")
    return str(key)


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
