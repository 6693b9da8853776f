"""Faults of outcomes and tables: each plants itself and returns what must be found, invariant and place."""

import json
from collections.abc import Callable

from pipeline import flow
from pipeline.ports import Partition
from tests.flow.broken import at, header, place_of_input, records
from tests.flow.line import Line

F, N, E = flow.FETCHED, flow.NORMALISED, flow.ENRICHED
STATE = flow.ARTICLE_STATE
Found = set[tuple[str, str]]


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
