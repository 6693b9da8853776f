"""One outcome for each input of a step: the log's inputs joined with what was passed on, rejected, or unchanged.

What was passed on names its input's id, a rejection its place; an unchanged input leaves only a count in the state
of its article. So inputs are joined by id, then by place, and what is left is compared with the state, article by
article. Outcomes are read before inputs, and only inputs behind the group's position at the start must have one:
a line at work is not at fault.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.flow import Step
from pipeline.identity import event_id
from pipeline.operate.verify.spill import Rows, Spill, fingerprints, groups, spread
from pipeline.operate.verify.verdict import OFFSETS, Findings, at, place, place_name
from pipeline.ports import Partition, Record

_INVARIANT = "one outcome each"
_PLACE = re.compile(r"(?P<topic>.+)\[(?P<partition>\d+)\]@(?P<offset>\d+)")
_DUE, _LATER, _OUTCOME = 0, 1, 2
_SHOWN = 10


class _Refusal(msgspec.Struct, frozen=True):
    stage: str
    position: str


class _State(msgspec.Struct, frozen=True):
    unchanged: int


_REFUSAL = msgspec.json.Decoder(_Refusal)
_STATE = msgspec.json.Decoder(_State)


def header(record: Record, name: str) -> bytes | None:
    """Return the last header of that name."""
    return dict(record.headers).get(name)


def _keys(values: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    return fingerprints(pa.array(values, pa.binary()))


def _numbers(values: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


class Outcomes:
    """Gathers inputs and outcomes of one step, in any order, and then tells which input has not exactly one."""

    def __init__(self, step: Step, due: Mapping[Partition, int], findings: Findings) -> None:
        self._step = step
        self._due = due
        self._findings = findings
        self._by_id = Spill({"kind": "u1", "place": "<i8", "article": "<u8"})
        self._by_place = Spill({"kind": "u1", "place": "<i8", "article": "<u8", "done": "u1"})
        self._by_article = Spill({"kind": "u1", "place": "<i8", "unchanged": "<i8"})
        for what in ("inputs", "emitted", "rejected", *(["unchanged"] if step.remembers else [])):
            findings.count(f"{step.name}: {what}", 0)

    def _count(self, what: str, number: int) -> None:
        self._findings.count(f"{self._step.name}: {what}", number)

    def _wrong(self, where: str, detail: str) -> None:
        self._findings.fault(_INVARIANT, where, detail)

    # What the log shows

    def inputs(self, partition: Partition, records: Sequence[Record]) -> None:
        """Take inputs; those behind the group's position must have an outcome, the others may."""
        due = self._due.get(partition, 0)
        kinds = np.array([_DUE if r.offset < due else _LATER for r in records], np.uint8)
        places = place(partition.number, _numbers([r.offset for r in records]))
        # One without an id can only be rejected; its place is a key nothing else has.
        ids = [header(r, "ce_id") or at(partition, r.offset).encode() for r in records]
        articles = _keys([r.key for r in records])[:, 0]
        self._by_id.add(_keys(ids), kind=kinds, place=places, article=articles)
        self._count("inputs", int(np.sum(kinds == _DUE)))

    def emitted(self, partition: Partition, records: Sequence[Record]) -> None:
        """Take what the step passed on. A rejection that was tried again stands in this topic too, as no outcome."""
        causes: list[bytes] = []
        offsets: list[int] = []
        for record in records:
            cause = header(record, "ce_causationid")
            if cause is None:
                self._wrong(at(partition, record.offset), f"this outcome of {self._step.name} names no input")
            elif header(record, "ce_id") != event_id("retry", cause.decode(errors="replace")).encode():
                causes.append(cause)
                offsets.append(record.offset)
        self._count("emitted", len(causes))
        self._by_id.add(_keys(causes), kind=_OUTCOME, place=place(partition.number, _numbers(offsets)), article=0)

    def rejections(self, partition: Partition, records: Sequence[Record]) -> None:
        """Take what was turned down; what fetch turned down never was an input."""
        inputs: list[int] = []
        offsets: list[int] = []
        for record in records:
            try:
                refusal = _REFUSAL.decode(record.value)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self._wrong(at(partition, record.offset), f"this rejection cannot be read: {error}")
                continue
            if refusal.stage != self._step.name:
                continue
            match = _PLACE.fullmatch(refusal.position)
            if match is None or match["topic"] != self._step.reads or int(match["offset"]) >= OFFSETS:
                said = f"this rejection is of {refusal.position!r}, which is no input of {self._step.name}"
                self._wrong(at(partition, record.offset), said)
                continue
            inputs.append(place(int(match["partition"]), int(match["offset"])))
            offsets.append(record.offset)
        self._count("rejected", len(inputs))
        places = place(partition.number, _numbers(offsets))
        self._by_place.add(spread(_numbers(inputs)), kind=_OUTCOME, place=places, article=0, done=0)

    def states(self, partition: Partition, records: Sequence[Record]) -> None:
        """Take what the step remembers of articles."""
        counts: list[int] = []
        good: list[Record] = []
        for record in records:
            try:
                counts.append(_STATE.decode(record.value).unchanged)
                good.append(record)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self._wrong(at(partition, record.offset), f"this article state cannot be read: {error}")
        articles = spread(_keys([r.key for r in good])[:, 0], partition.number)
        places = place(partition.number, _numbers([r.offset for r in good]))
        self._by_article.add(articles, kind=_OUTCOME, place=places, unchanged=_numbers(counts))

    # What follows from it

    def settle(self) -> None:
        """Report every input without an outcome or with two, and every outcome without an input."""
        for rows in self._by_id.chunks():
            self._settle_ids(rows)
        for rows in self._by_place.chunks():
            self._settle_places(rows)
        for rows in self._by_article.chunks():
            self._settle_articles(rows)

    def _settle_ids(self, rows: Rows) -> None:
        rows, start, group, outcomes = _grouped(rows)
        is_input = rows["kind"] != _OUTCOME
        inputs = np.bincount(group, is_input, len(start)).astype(np.int64)
        for n in np.flatnonzero(outcomes > inputs).tolist():
            at_ = start[n]
            results = rows["place"][at_ + inputs[n] : at_ + inputs[n] + outcomes[n]]
            if inputs[n]:
                self._wrong(self._input(rows["place"][at_]), f"has {outcomes[n]} outcomes: {self._written(results)}")
            else:
                for result in results[:_SHOWN]:
                    self._wrong(
                        place_name(self._step.writes, result), f"no input of {self._step.name} has this outcome"
                    )
        nth = np.arange(len(rows)) - start[group]
        done = (nth < outcomes[group])[is_input]
        kept = rows[is_input]
        keys = spread(kept["place"])
        self._by_place.add(keys, kind=kept["kind"], place=kept["place"], article=kept["article"], done=done)

    def _settle_places(self, rows: Rows) -> None:
        rows, start, _, refusals = _grouped(rows)
        heads = rows[start]
        has_input = heads["kind"] != _OUTCOME
        topic = f"{self._step.reads}.rejected"
        for n in np.flatnonzero(~has_input).tolist():
            said = f"this rejection is of {self._input(heads['lo'][n])}, where no input stands"
            self._wrong(place_name(topic, heads["place"][n]), said)
        outcomes = heads["done"] + refusals
        for n in np.flatnonzero(has_input & (outcomes > 1)).tolist():
            places = [place_name(topic, p) for p in rows["place"][start[n] + 1 : start[n] + 1 + refusals[n]][:_SHOWN]]
            also = " and was passed on as well" if heads["done"][n] else ""
            self._wrong(self._input(heads["place"][n]), f"has {outcomes[n]} outcomes: {', '.join(places)}{also}")
        left = heads[has_input & (outcomes == 0)]
        if self._step.remembers is None:
            for each in left[left["kind"] == _DUE]["place"]:
                self._wrong(self._input(each), f"this input of {self._step.name} has no outcome")
            return
        for number in np.unique(left["place"] // OFFSETS).tolist():
            mine = left[left["place"] // OFFSETS == number]
            keys = spread(mine["article"], number)
            self._by_article.add(keys, kind=mine["kind"], place=mine["place"], unchanged=0)

    def _settle_articles(self, rows: Rows) -> None:
        """Of an article, as many inputs must be left over as its newest state counts unchanged."""
        rows, start, group, _ = _grouped(rows)
        ends = np.append(start[1:], len(rows))
        due = np.bincount(group, rows["kind"] == _DUE, len(start)).astype(np.int64)
        later = np.bincount(group, rows["kind"] == _LATER, len(start)).astype(np.int64)
        newest = rows[ends - 1]
        unchanged = np.where(newest["kind"] == _OUTCOME, newest["unchanged"], 0)
        self._count("unchanged", int(unchanged.sum()))
        for n in np.flatnonzero((unchanged < due) | (unchanged > due + later)).tolist():
            places = rows["place"][start[n] : start[n] + due[n] + later[n]]
            kinds = rows["kind"][start[n] : start[n] + due[n] + later[n]]
            if unchanged[n] > due[n]:
                said = (
                    f"counts {unchanged[n]} unchanged inputs, the log has {due[n] + later[n]} without another outcome"
                )
                self._wrong(place_name(self._step.remembers or "", newest["place"][n]), said)
            elif unchanged[n]:
                names = ", ".join(self._input(p) for p in places[kinds == _DUE][:_SHOWN])
                said = f"only {unchanged[n]} of {due[n]} inputs of this article are counted as unchanged: {names}"
                self._wrong(self._input(places[kinds == _DUE][-1]), said)
            else:
                for each in places[kinds == _DUE]:
                    self._wrong(self._input(each), f"this input of {self._step.name} has no outcome")

    def _input(self, number: Any) -> str:
        return place_name(self._step.reads, int(number))

    def _written(self, places: Any) -> str:
        return ", ".join(place_name(self._step.writes, each) for each in places[:_SHOWN])


def _grouped(rows: Rows) -> tuple[Rows, Any, Any, Any]:
    """Return rows ordered by key, inputs before outcomes, by place; each group's start; each row's group; and how
    many outcomes each group has."""
    rows = rows[np.lexsort((rows["place"], rows["kind"] == _OUTCOME, rows["lo"], rows["hi"]))]
    start = groups(rows)
    group = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(rows))))
    outcomes = np.bincount(group, rows["kind"] == _OUTCOME, len(start)).astype(np.int64)
    return rows, start, group, outcomes
