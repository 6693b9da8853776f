"""Faults of files and records: each plants itself and returns what must be found, invariant and place."""

import hashlib
from collections.abc import Callable

import msgspec
import pyarrow as pa

from pipeline import flow
from tests.flow.broken import at, put, records, recut, reword, segments, with_column
from tests.flow.line import Line

F, N, E = flow.FETCHED, flow.NORMALISED, flow.ENRICHED
STATE = flow.ARTICLE_STATE
Found = set[tuple[str, str]]


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


def another_text(line: Line) -> Found:
    first, *_ = segments(line, E)
    recut(line, first, "articles", lambda t: with_column(t, "content_hash", lambda v: [*v[:-1], "other"]))
    return {("log in chain", at(E, 0, first.end - 1))}


def lost_mention(line: Line) -> Found:
    first, *_ = segments(line, E)
    recut(line, first, "mentions", lambda t: t.slice(1))
    return {("log in chain", at(E, 0, first.start)), ("tables", at(E, 0, first.start))}


FAULTS: list[Callable[[Line], Found]] = [
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
    another_text,
    lost_mention,
]
