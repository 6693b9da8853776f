"""Scores of a model folder, through the adapter that ships: what a user gets is what is measured.

Event types are compared per sentence as multisets; actor, recipient and place by overlap within events of
the right type; entities by exact span and type. Thresholds are chosen on the dev part, never on the test.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.adapters.onnx import OnnxModel
from pipeline.ports import EventSpan, ModelReading
from training.data import EventExample, SentenceExample

_GRID = [round(0.2 + 0.05 * n, 2) for n in range(14)]
_FREQUENT = 20


class Score(NamedTuple):
    """True and false positives and false negatives, and what follows from them."""

    tp: int
    fp: int
    fn: int

    @property
    def f1(self) -> float:
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)

    def plus(self, other: "Score") -> "Score":
        return Score(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)


def _score(gold: Counter[object], found: Counter[object]) -> Score:
    hits = sum((gold & found).values())
    return Score(hits, sum(found.values()) - hits, sum(gold.values()) - hits)


def _sum(scores: Iterable[Score]) -> Score:
    total = Score(0, 0, 0)
    for each in scores:
        total = total.plus(each)
    return total


def choose_thresholds(folder: Path, dev: Sequence[SentenceExample]) -> None:
    """Set each type's threshold in config.json to where its F1 on `dev` is highest; ties go to the higher one."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["thresholds"]["event"] = dict.fromkeys(config["modes_of"], _GRID[0])
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    readings = OnnxModel(folder, threads=2).read([e.text for e in dev])
    chosen = {}
    for kind in config["modes_of"]:
        best = (-1.0, 0.5)
        for threshold in _GRID:
            total = _sum(
                _score(
                    Counter(1 for g in e.events if g.type == kind),
                    Counter(1 for f in r.events if f.type == kind and f.confidence >= threshold),
                )
                for e, r in zip(dev, readings, strict=True)
            )
            best = max(best, (total.f1, threshold))
        chosen[kind] = best[1]
    config["thresholds"]["event"] = chosen
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def report(folder: Path, test: Sequence[SentenceExample], split_hash: str) -> dict[str, object]:
    """Print and return the scores on `test`, and keep them as scores.json beside the model."""
    model = OnnxModel(folder, threads=2)
    parts = {
        "wikinews": [e for e in test if not e.document.startswith("press")],
        "press": [e for e in test if e.document.startswith("press")],
    }
    out: dict[str, object] = {"test_split_sha256": split_hash, "model_sha256": model.info.sha256}
    for name, examples in (*parts.items(), ("all", list(test))):
        if examples:
            out[name] = scores(examples, model.read([e.text for e in examples]))
    text = json.dumps(out, ensure_ascii=False, indent=1)
    (folder / "scores.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return out


def scores(examples: Sequence[SentenceExample], readings: Sequence[ModelReading]) -> dict[str, object]:
    """Return the table of scores of these readings."""
    pairs = list(zip(examples, readings, strict=True))
    entity = _entity_scores(pairs)
    types = _type_scores(pairs)
    frequent = [s.f1 for s in types.values() if s.tp + s.fn >= _FREQUENT]
    silent = [(e, r) for e, r in pairs if not e.events]
    matched = [m for e, r in pairs for m in _matched(e.events, r.events)]
    return {
        "sentences": len(pairs),
        "gold_events": sum(len(e.events) for e in examples),
        "entity_f1_per_loc_org": _rounded(_sum(entity[t] for t in ("PER", "LOC", "ORG")).f1),
        "entity_f1": {t: _rounded(s.f1) for t, s in sorted(entity.items())},
        "event_type_micro_f1": _rounded(_sum(types.values()).f1),
        "event_type_macro_f1_frequent": _rounded(sum(frequent) / max(1, len(frequent))),
        "event_type_f1": {t: _rounded(s.f1) for t, s in sorted(types.items())},
        "false_positive_rate": _rounded(sum(bool(r.events) for _, r in silent) / max(1, len(silent))),
        **{f"{role}_overlap_f1": _rounded(_role_score(matched, role).f1) for role in ("actor", "recipient", "place")},
        "status_accuracy": _rounded(sum(g.status == f.status for g, f in matched) / max(1, len(matched))),
        "mode_accuracy": _rounded(sum(g.mode == f.mode for g, f in matched) / max(1, len(matched))),
    }


def _rounded(value: float) -> float:
    return round(value, 4)


def _entity_scores(pairs: Sequence[tuple[SentenceExample, ModelReading]]) -> dict[str, Score]:
    out: dict[str, Score] = defaultdict(lambda: Score(0, 0, 0))
    for e, r in pairs:
        for kind in {t for *_, t in e.entities} | {x.type for x in r.entities}:
            gold: Counter[object] = Counter((a, b) for a, b, t in e.entities if t == kind)
            found: Counter[object] = Counter((x.start, x.end) for x in r.entities if x.type == kind)
            out[kind] = out[kind].plus(_score(gold, found))
    return out


def _type_scores(pairs: Sequence[tuple[SentenceExample, ModelReading]]) -> dict[str, Score]:
    out: dict[str, Score] = defaultdict(lambda: Score(0, 0, 0))
    for e, r in pairs:
        for kind in {g.type for g in e.events} | {f.type for f in r.events}:
            gold: Counter[object] = Counter(1 for g in e.events if g.type == kind)
            found: Counter[object] = Counter(1 for f in r.events if f.type == kind)
            out[kind] = out[kind].plus(_score(gold, found))
    return out


def _matched(gold: Sequence[EventExample], found: Sequence[EventSpan]) -> list[tuple[EventExample, EventSpan]]:
    """Return pairs of gold and found events of one type, in the order of their triggers."""
    out = []
    left = sorted(found, key=lambda f: f.trigger)
    for g in sorted(gold, key=lambda g: g.trigger):
        same = next((f for f in left if f.type == g.type), None)
        if same is not None:
            left.remove(same)
            out.append((g, same))
    return out


def _role_score(matched: Sequence[tuple[EventExample, EventSpan]], role: str) -> Score:
    total = Score(0, 0, 0)
    for g, f in matched:
        gold = [(a, b) for r, a, b in g.arguments if r == role]
        found = list({"actor": f.actors, "recipient": f.recipients, "place": f.places}[role])
        hits = 0
        for a, b in gold:
            same = next((s for s in found if s.start < b and a < s.end), None)
            if same is not None:
                found.remove(same)
                hits += 1
        total = total.plus(Score(hits, len(found), len(gold) - hits))
    return total
