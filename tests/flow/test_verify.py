"""`verify` on memory twins: planted faults of every class are found where they are, and nothing else is blamed."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta

import msgspec
import pyarrow as pa
import pytest

from pipeline import flow
from pipeline.adapters.memory import MemoryBrowser
from pipeline.errors import DepecheError, Flaw
from pipeline.events import Withdrawn
from pipeline.manifest import manifest_key, read_manifest, write_manifest
from pipeline.operate import rejected
from pipeline.operate.verify import Range, verify
from pipeline.ports import Partition, Record
from tests.flow.broken import at, header, key_of, place_of_input, put, records, recut, reword, segments, with_column
from tests.flow.line import Line
from tests.flow.world import drain

F, N, E = flow.FETCHED, flow.NORMALISED, flow.ENRICHED
STATE = flow.ARTICLE_STATE
DATED = "Le 12 mars 2024, « nous refusons cette attaque », a déclaré le ministre, qui a accusé la Russie à Paris."
Found = set[tuple[str, str]]


@pytest.fixture(scope="module")
def built() -> Line:
    """Three nights: new articles, one unchanged, one revised, one withdrawn, one in English, one that is no event."""
    line = Line()
    for night in range(3):
        line.publish([line.raw(night * 15 + n, DATED if n == 14 else None) for n in range(15)])
        if night == 2:
            gone = line.raw(3)
            text = "Le ministre a démenti mardi avoir accusé la Russie, selon son cabinet à Paris."
            line.publish([line.raw(1), line.raw(2, text), line.raw(90, "The minister said this in London on Monday.")])
            line.publish(
                [
                    Withdrawn(
                        article_id=gone.article_id,
                        revision=0,
                        source="test",
                        url=None,
                        reason="410 Gone",
                        fetched_at=line.clock.now(),
                    )
                ]
            )
            line.broker.append(records(line, F)[0]._replace(headers=(), value=b"\xff"))  # type: ignore[arg-type]
        line.steps()
    return line


@pytest.fixture
def line(built: Line) -> Iterator[Line]:
    """The line, for one test to break; afterwards it is as it was."""
    objects = dict(built.store.objects)
    log = {partition: list(held) for partition, held in built.broker._records.items()}
    positions = {group: dict(at_) for group, at_ in built.broker._positions.items()}
    built.warehouse._db.execute("BEGIN")
    yield built
    built.warehouse._db.execute("ROLLBACK")
    built.store.objects = objects
    built.broker._records = log
    built.broker._positions.clear()
    built.broker._positions.update(positions)


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


# The chain


def gap(line: Line) -> Found:
    first, *_ = segments(line)
    reword(line, first, end=first.end - 1)
    place = at(F, 0, first.end - 1)
    return {("chain", place), ("log in chain", place), ("offsets", place)}


def overlap(line: Line) -> Found:
    first, second, *_ = segments(line)
    reword(line, first, end=first.end + 1)
    return {("chain", at(F, 0, second.start))}


def an_end_before_the_start(line: Line) -> Found:
    last = segments(line)[-1]
    reword(line, last, end=last.start)
    inside = [("offsets", at(F, 0, offset)) for offset in range(last.start, last.end)]
    told = ("chain", at(F, 0, last.start))
    return {("manifests", at(F, 0, last.start)), told, *inside}


def a_chain_longer_than_the_log(line: Line) -> Found:
    last = segments(line)[-1]
    reword(line, last, end=last.end + 7)
    return {("log in chain", at(F, 0, last.end))}


def missing_first_segment(line: Line) -> Found:
    del line.store.objects[key_of(segments(line)[0])]
    return {("chain", at(F, 0, 0)), ("log in chain", at(F, 0, 0))}


def missing_middle_segment(line: Line) -> Found:
    gone = segments(line)[1]
    del line.store.objects[key_of(gone)]
    return {("chain", at(F, 0, gone.start)), ("log in chain", at(F, 0, gone.start))}


def missing_last_segment(line: Line) -> Found:
    gone = segments(line)[-1]
    del line.store.objects[key_of(gone)]
    return {("chain", at(F, 0, gone.start))}


def missing_only_segments_of_a_partition(line: Line) -> Found:
    for gone in segments(line, partition=1):
        del line.store.objects[key_of(gone)]
    return {("chain", at(F, 1, 0))}


# Manifests


def unreadable_manifest(line: Line) -> Found:
    broken = segments(line)[1]
    put(line, key_of(broken), b'{"format": 1, "topic"')
    place = at(F, 0, broken.start)
    return {("manifests", place), ("chain", place), ("log in chain", place)}


def manifest_of_a_future_format(line: Line) -> Found:
    future = segments(line)[1]
    reword(line, future, format=2)
    place = at(F, 0, future.start)
    return {("manifests", place), ("chain", place), ("log in chain", place)}


def manifest_under_another_start(line: Line) -> Found:
    moved = segments(line)[0]
    put(line, manifest_key(F, 0, moved.start + 1), write_manifest(moved))
    return {("manifests", at(F, 0, moved.start + 1))}


def manifest_of_another_partition(line: Line) -> Found:
    last = segments(line)[-1]
    put(line, manifest_key(F, 0, last.end), write_manifest(segments(line, partition=1)[0]))
    return {("manifests", at(F, 0, last.end))}


def manifest_with_a_name_that_is_none(line: Line) -> Found:
    put(line, f"log/topic={F}/p=00000/notes.txt", b"")
    return {("manifests", f"log/topic={F}/p=00000/notes.txt")}


def another_day(line: Line) -> Found:
    first, *_ = segments(line)
    reword(line, first, dt="2020-02-02")
    return {("manifests", at(F, 0, first.start))}


def another_first_timestamp(line: Line) -> Found:
    first, *_ = segments(line, E)
    reword(line, first, first_timestamp=first.first_timestamp + timedelta(microseconds=1))
    return {("manifests", at(E, 0, first.start))}


def another_last_timestamp(line: Line) -> Found:
    first, *_ = segments(line)
    reword(line, first, last_timestamp=first.last_timestamp + timedelta(hours=1))
    return {("manifests", at(F, 0, first.start))}


# Files


def missing_file(line: Line) -> Found:
    first, *_ = segments(line, E)
    del line.store.objects[first.tables["events"].key]
    return {("files", at(E, 0, first.start))}


def changed_byte(line: Line) -> Found:
    _, second, *_ = segments(line)
    data = bytearray(line.store.objects[second.tables["records"].key][0])
    data[len(data) // 2] ^= 1
    put(line, second.tables["records"].key, bytes(data))
    return {("files", at(F, 0, second.start))}


def truncated_file(line: Line) -> Found:
    _, second, *_ = segments(line)
    key = second.tables["records"].key
    put(line, key, line.store.objects[key][0][:-20])
    return {("files", at(F, 0, second.start))}


def longer_file(line: Line) -> Found:
    _, second, *_ = segments(line)
    key = second.tables["records"].key
    put(line, key, line.store.objects[key][0] + b"more")
    return {("files", at(F, 0, second.start))}


def no_parquet(line: Line) -> Found:
    first, *_ = segments(line)
    file = first.tables["records"]
    put(line, file.key, b"rows")
    described = msgspec.structs.replace(file, bytes=4, sha256=hashlib.sha256(b"rows").hexdigest())
    reword(line, first, tables={"records": described})
    return {("files", at(F, 0, first.start))}


def no_column_of_offsets(line: Line) -> Found:
    first, *_ = segments(line)
    recut(line, first, "records", lambda t: t.drop_columns(["log_offset"]))
    return {("files", at(F, 0, first.start))}


def wrong_record_count(line: Line) -> Found:
    first, *_ = segments(line)
    reword(line, first, records=first.records + 1)
    return {("counts", at(F, 0, first.start))}


def wrong_row_count_of_a_side_table(line: Line) -> Found:
    first, *_ = segments(line, E)
    events = msgspec.structs.replace(first.tables["events"], rows=first.tables["events"].rows + 1)
    reword(line, first, tables=first.tables | {"events": events})
    return {("files", at(E, 0, first.start))}


def rows_of_no_article(line: Line) -> Found:
    first, *_ = segments(line, E)
    mentions = recut(line, first, "mentions", lambda t: with_column(t, "log_offset", lambda o: [99, *o[1:]]))
    assert mentions.tables["mentions"].rows == first.tables["mentions"].rows
    place = at(E, 0, first.start)
    return {("counts", at(E, 0, 99)), ("log in chain", place), ("tables", place)}


# Records


def record_outside_its_range(line: Line) -> Found:
    first, *_ = segments(line)
    recut(line, first, "records", lambda t: with_column(t, "log_offset", lambda o: [*o[:-1], 777]))
    return {("offsets", at(F, 0, 777)), ("log in chain", at(F, 0, first.end - 1))}


def offset_twice_in_a_segment(line: Line) -> Found:
    first, *_ = segments(line)
    recut(line, first, "records", lambda t: with_column(t, "log_offset", lambda o: [o[0], o[0], *o[2:]]))
    double, lost = at(F, 0, first.start), at(F, 0, first.start + 1)
    return {("offsets", double), ("log in chain", lost), ("log in chain", double)}


def swapped_order(line: Line) -> Found:
    first, *_ = segments(line)
    order = [1, 0, *range(2, first.records)]
    recut(line, first, "records", lambda t: t.take(order))
    return {("offsets", at(F, 0, first.start))}


def doubled_id_in_a_partition(line: Line) -> Found:
    record = records(line, F)[2]
    line.broker.append(record)  # type: ignore[arg-type]
    line.work()
    return {("each event id once", at(F, 0, len(records(line, F)) - 1))}


def doubled_id_in_another_partition(line: Line) -> Found:
    record = records(line, F)[2]
    line.broker.append(record._replace(partition=1))  # type: ignore[arg-type]
    line.work()
    second = at(F, 1, len(records(line, F, 1)) - 1)
    # The other partition knows nothing of the article, so normalise passes it on there as well: new ids twice.
    wrong = {(f.invariant, f.where) for f in line.verify().faults if f.where != second}
    assert {invariant for invariant, _ in wrong} <= {"each event id once", "one outcome each"}
    return {("each event id once", second), *wrong}


def record_in_the_log_only(line: Line) -> Found:
    _, second, *_ = segments(line)
    kept = [0, *range(2, second.records)]
    recut(line, second, "records", lambda t: t.take(kept), records=second.records - 1)
    return {("log in chain", at(F, 0, second.start + 1))}


def record_in_the_chain_only(line: Line) -> Found:
    last = segments(line)[-1]
    more = {"log_offset": last.end, "event_id": "made-up"}
    recut(
        line,
        last,
        "records",
        lambda t: pa.concat_tables([t, pa.Table.from_pylist([t.to_pylist()[-1] | more], t.schema)]),
        end=last.end + 1,
        records=last.records + 1,
    )
    return {("log in chain", at(F, 0, last.end))}


def another_value(line: Line) -> Found:
    _, second, *_ = segments(line)
    recut(line, second, "records", lambda t: with_column(t, "value", lambda v: [v[0], b"other", *v[2:]]))
    return {("log in chain", at(F, 0, second.start + 1))}


def another_key(line: Line) -> Found:
    _, second, *_ = segments(line)
    recut(line, second, "records", lambda t: with_column(t, "key", lambda v: [*v[:-1], b"other"]))
    return {("log in chain", at(F, 0, second.end - 1))}


def another_header(line: Line) -> Found:
    _, second, *_ = segments(line)
    recut(line, second, "records", lambda t: with_column(t, "headers", lambda v: [v[0][1:], *v[1:]]))
    return {("log in chain", at(F, 0, second.start))}


def another_revision(line: Line) -> Found:
    first, *_ = segments(line, E)
    recut(line, first, "articles", lambda t: with_column(t, "revision", lambda v: [9, *v[1:]]))
    return {("log in chain", at(E, 0, first.start)), ("tables", at(E, 0, first.start))}


def lost_mention(line: Line) -> Found:
    first, *_ = segments(line, E)
    recut(line, first, "mentions", lambda t: t.slice(1))
    return {("log in chain", at(E, 0, first.start)), ("tables", at(E, 0, first.start))}


# Outcomes


def input_without_outcome(line: Line) -> Found:
    gone = records(line, N).pop()
    line.broker.positions(flow.group("enrich"))[Partition(N, 0)] -= 1
    (enriched,) = (r for r in line.records(E) if header(r, "ce_causationid") == header(gone, "ce_id"))
    return {
        ("one outcome each", place_of_input(line, F, header(gone, "ce_causationid"))),
        ("one outcome each", at(E, enriched.partition, enriched.offset)),
    }


def input_without_rejection(line: Line) -> Found:
    partition = next(p for p in range(3) if records(line, flow.rejected(F), p))
    gone = records(line, flow.rejected(F), partition).pop()
    place = json.loads(gone.value)["position"]
    end = len(records(line, flow.rejected(F), partition))
    return {("one outcome each", place), *(("log in chain", at(flow.rejected(F), partition, end)),)}


def input_with_two_results(line: Line) -> Found:
    record = records(line, N)[1]
    headers = tuple((name, b"again" if name == "ce_id" else value) for name, value in record.headers)
    line.broker.append(record._replace(headers=headers))  # type: ignore[arg-type]
    return {("one outcome each", place_of_input(line, F, header(record, "ce_causationid")))}


def input_rejected_twice(line: Line) -> Found:
    partition = next(p for p in range(3) if records(line, flow.rejected(F), p))
    record = records(line, flow.rejected(F), partition)[0]
    line.broker.append(record)  # type: ignore[arg-type]
    return {("one outcome each", json.loads(record.value)["position"])}


def input_passed_on_and_rejected(line: Line) -> Found:
    record = next(r for p in range(3) for r in records(line, flow.rejected(F), p))
    said = json.loads(record.value) | {"position": at(F, 0, 1)}
    line.broker.append(record._replace(value=json.dumps(said).encode()))  # type: ignore[arg-type]
    return {("one outcome each", at(F, 0, 1))}


def rejection_of_nothing(line: Line) -> Found:
    record = next(r for p in range(3) for r in records(line, flow.rejected(F), p))
    said = json.loads(record.value) | {"position": at(F, 0, 4711)}
    line.broker.append(record._replace(value=json.dumps(said).encode()))  # type: ignore[arg-type]
    last = len(records(line, flow.rejected(F), record.partition)) - 1
    return {("one outcome each", at(flow.rejected(F), record.partition, last))}


def unreadable_rejection(line: Line) -> Found:
    record = next(r for p in range(3) for r in records(line, flow.rejected(F), p))
    line.broker.append(record._replace(value=b"{"))  # type: ignore[arg-type]
    last = len(records(line, flow.rejected(F), record.partition)) - 1
    return {("one outcome each", at(flow.rejected(F), record.partition, last))}


def outcome_without_an_input(line: Line) -> Found:
    record = records(line, E)[0]
    headers = tuple((n, b"nobody" if n in ("ce_causationid", "ce_id") else v) for n, v in record.headers)
    line.broker.append(record._replace(headers=headers))  # type: ignore[arg-type]
    return {("one outcome each", at(E, 0, len(records(line, E)) - 1))}


def outcome_that_names_no_input(line: Line) -> Found:
    record = records(line, E)[0]
    headers = tuple((n, v) for n, v in record.headers if n != "ce_causationid")
    line.broker.append(record._replace(headers=headers))  # type: ignore[arg-type]
    return {("one outcome each", at(E, 0, len(records(line, E)) - 1))}


def unchanged_input_that_nobody_counted(line: Line) -> Found:
    again = next(r for r in reversed(line.records(STATE)) if json.loads(r.value)["unchanged"])
    records(line, STATE, again.partition).remove(again)
    twice = [r for r in line.records(F) if r.key == again.key and r.headers]
    return {("one outcome each", at(F, twice[-1].partition, twice[-1].offset))}


def more_counted_as_unchanged_than_there_are(line: Line) -> Found:
    state = records(line, STATE)[-1]
    said = json.loads(state.value)
    told = said | {"unchanged": said["unchanged"] + 1}
    line.broker.append(state._replace(value=json.dumps(told).encode()))  # type: ignore[arg-type]
    return {("one outcome each", at(STATE, 0, len(records(line, STATE)) - 1))}


# Tables


def newest(line: Line, article: str) -> Found:
    """Return the place of the newest revision of an article."""
    last = [r for r in line.records(E) if r.key.decode() == article][-1]
    return {("tables", at(E, last.partition, last.offset))}


def an_article(line: Line, table: str = "articles") -> str:
    return str(line.warehouse.query(f"SELECT min(article_id) FROM {table} WHERE revision = 1")[1][0][0])


def stale_article(line: Line) -> Found:
    name = an_article(line)
    line.warehouse._db.execute(f"UPDATE articles SET revision = 7 WHERE article_id = '{name}'")
    return newest(line, name)


def article_wrongly_withdrawn(line: Line) -> Found:
    name = an_article(line)
    line.warehouse._db.execute(f"UPDATE articles SET withdrawn = true WHERE article_id = '{name}'")
    return newest(line, name)


def segment_loaded_that_is_not_there(line: Line) -> Found:
    line.warehouse._db.execute("INSERT INTO segments (manifest) VALUES ('log/nowhere.json')")
    return {("tables", "log/nowhere.json")}


FAULTS: list[Callable[[Line], Found]] = [
    gap,
    overlap,
    an_end_before_the_start,
    a_chain_longer_than_the_log,
    missing_first_segment,
    missing_middle_segment,
    missing_last_segment,
    missing_only_segments_of_a_partition,
    unreadable_manifest,
    manifest_of_a_future_format,
    manifest_under_another_start,
    manifest_of_another_partition,
    manifest_with_a_name_that_is_none,
    another_day,
    another_first_timestamp,
    another_last_timestamp,
    missing_file,
    changed_byte,
    truncated_file,
    longer_file,
    no_parquet,
    no_column_of_offsets,
    wrong_record_count,
    wrong_row_count_of_a_side_table,
    rows_of_no_article,
    record_outside_its_range,
    offset_twice_in_a_segment,
    swapped_order,
    doubled_id_in_a_partition,
    doubled_id_in_another_partition,
    record_in_the_log_only,
    record_in_the_chain_only,
    another_value,
    another_key,
    another_header,
    another_revision,
    lost_mention,
    input_without_outcome,
    input_without_rejection,
    input_with_two_results,
    input_rejected_twice,
    input_passed_on_and_rejected,
    rejection_of_nothing,
    unreadable_rejection,
    outcome_without_an_input,
    outcome_that_names_no_input,
    unchanged_input_that_nobody_counted,
    more_counted_as_unchanged_than_there_are,
    stale_article,
    article_wrongly_withdrawn,
    segment_loaded_that_is_not_there,
]


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


# What is no fault


def test_what_is_still_on_its_way_waits_and_is_no_fault(line: Line) -> None:
    line.publish([line.raw(200 + n) for n in range(6)])
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts[f"{F}: waiting for the archive"] == 6
    worker = line.transform("normalise")
    worker.work(worker.log.poll(0.5, 3))
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts["normalise: inputs"] == 53
    worker.finish()
    line.work()
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts["tables: segments waiting to be loaded"] > 0


def test_a_line_that_works_while_it_is_verified_is_not_blamed(line: Line) -> None:
    line.publish([line.raw(300 + n) for n in range(30)])
    workers = [line.transform("normalise"), line.transform("enrich"), line.archive(segment_bytes=1)]
    listed = 0

    class Busy(MemoryBrowser):
        def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
            answer = super().bounds(topic)
            turn()
            return answer

        def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
            for record in super().read(partition, start, end):
                turn()
                yield record

    def turn() -> None:
        nonlocal listed
        listed += 1
        job = workers[listed % 3]
        job.work(job.log.poll(0.5, 1))
        if listed % 7 == 0:
            line.publish([line.raw(1), line.raw(400 + listed)])

    for _ in range(3):
        verdict = verify(line.store, Busy(line.broker), line.warehouse)
        assert verdict.sound, verdict.faults
    for worker in workers:
        worker.finish()


def test_files_that_nobody_committed_are_counted_as_garbage(line: Line) -> None:
    first, *_ = segments(line)
    put(line, first.tables["records"].key.replace(".parquet", "-loser.parquet"), b"12345")
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert (verdict.counts["garbage: files"], verdict.counts["garbage: bytes"]) == (1, 5)


def test_a_rejection_that_is_tried_again_is_a_new_input_and_no_outcome(line: Line) -> None:
    def broken(batch: object, states: object) -> list[Flaw]:
        return [Flaw("bug", "planted") for _ in batch]  # type: ignore[attr-defined]

    line.publish([line.raw(500)])
    drain(line.transform("normalise"))
    worker = line.transform("enrich", handle=broken)  # type: ignore[arg-type]
    drain(worker)
    worker.finish()
    (entry,) = (e for e in rejected.entries(line.browser) if e.data.stage == "enrich")
    line.broker.append(rejected.again(entry))
    line.work()
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts["enrich: rejected"] == 1
    assert verdict.counts["normalise: emitted"] == 48


def test_a_log_that_no_longer_holds_its_beginning_is_said_to_be_unchecked(line: Line) -> None:
    class Shortened(MemoryBrowser):
        def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
            cut = 4 if topic == F else 0
            return {p: (min(cut, end), end) for p, (_, end) in super().bounds(topic).items()}

    verdict = verify(line.store, Shortened(line.broker), line.warehouse)
    assert verdict.sound, verdict.faults
    assert [f"{F}[0] begins at 4" in said for said in verdict.unchecked] == [True]


# Ranges


def test_without_a_log_the_store_is_checked_and_what_only_the_log_tells_is_said(line: Line) -> None:
    verdict = verify(line.store)
    assert verdict.sound
    assert verdict.counts[f"{E}: archived"] == 47
    assert any("the log was not read" in said for said in verdict.unchecked)
    expected = changed_byte(line)
    assert {(f.invariant, f.where) for f in verify(line.store).faults} == expected


def test_without_a_log_a_missing_first_segment_is_said_to_be_unknown(line: Line) -> None:
    first, second, *_ = segments(line)
    del line.store.objects[key_of(first)]
    verdict = verify(line.store)
    assert any(said.startswith(at(F, 0, second.start)) for said in verdict.unchecked)


@pytest.mark.parametrize("log", [True, False])
def test_a_range_of_offsets_looks_at_the_segments_it_touches_and_no_others(line: Line, log: bool) -> None:
    first, second, third = segments(line)
    for broken in (first, third):
        reword(line, broken, records=99)
    browser = line.browser if log else None
    inside = Range(topic=F, partition=0, start=second.start, until=second.end)
    verdict = verify(line.store, browser, line.warehouse, wanted=inside)
    assert verdict.sound, verdict.faults
    assert verdict.counts == {f"{F}: archived": second.records}
    assert any("outside" in said for said in verdict.unchecked)
    wider = Range(topic=F, partition=0, start=second.start - 1, until=second.end)
    faults = verify(line.store, browser, wanted=wider).faults
    assert [(f.invariant, f.where) for f in faults] == [("counts", at(F, 0, first.start))]


def test_a_range_finds_a_gap_inside_it(line: Line) -> None:
    _, second, third = segments(line)
    del line.store.objects[key_of(second)]
    wanted = Range(topic=F, partition=0, start=0, until=third.end)
    faults = verify(line.store, line.browser, wanted=wanted).faults
    assert {(f.invariant, f.where) for f in faults} == {
        ("chain", at(F, 0, second.start)),
        ("log in chain", at(F, 0, second.start)),
    }


def test_a_range_of_days_looks_at_the_segments_of_these_days(line: Line) -> None:
    day = segments(line)[0].first_timestamp.date()
    everything = verify(line.store, wanted=Range(start=day, until=day + timedelta(days=1)))
    assert everything.counts[f"{F}: archived"] == 51 - 1
    later = verify(line.store, wanted=Range(start=day + timedelta(days=1)))
    earlier = verify(line.store, wanted=Range(until=day))
    assert later.counts[f"{F}: archived"] == earlier.counts[f"{F}: archived"] == 0


def test_one_topic_is_compared_with_its_tables(line: Line) -> None:
    assert verify(line.store, line.browser, line.warehouse, wanted=Range(topic=E)).counts["tables: articles"] == 45
    expected = stale_article(line)
    faults = verify(line.store, line.browser, line.warehouse, wanted=Range(topic=E)).faults
    assert {(f.invariant, f.where) for f in faults} == expected


def test_of_a_fault_that_is_everywhere_the_first_hundred_are_named_and_the_rest_counted(line: Line) -> None:
    line.warehouse._db.execute("INSERT INTO articles (article_id, revision) SELECT 'x' || range, 1 FROM range(130)")
    faults = line.verify().faults
    assert len(faults) == 101
    assert faults[-1].detail == "and 30 more"
