"""What is measured, and how: pure functions from labelled sentences and readings to figures.

Event types are compared per sentence as multisets; actor, recipient and place by overlap, status and mode by
equality, each within events of the right type; entities by exact span and type.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

from pipeline.ports import EventSpan, Model, ModelReading
from training.data import EventExample, SentenceExample
from training.ontology import facts

FREQUENT = 20
"""Cases from which on a type counts in the macro average."""
NAMES = ("PER", "LOC", "ORG")
_BINS = 10

Pair = tuple[SentenceExample, ModelReading]


class Score(NamedTuple):
    """True and false positives and false negatives, and what follows from them."""

    tp: int
    fp: int
    fn: int

    @classmethod
    def of(cls, gold: Counter[Any], found: Counter[Any]) -> Self:
        """Return the score of one bag of findings against another."""
        hits = sum((gold & found).values())
        return cls(hits, sum(found.values()) - hits, sum(gold.values()) - hits)

    @property
    def f1(self) -> float:
        """2 tp / (2 tp + fp + fn); 0 where there is nothing."""
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)

    @property
    def precision(self) -> float:
        return self.tp / max(1, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return self.tp / max(1, self.tp + self.fn)


def total(scores: Iterable[Score]) -> Score:
    """Return the sum of scores."""
    tp = fp = fn = 0
    for each in scores:
        tp, fp, fn = tp + each.tp, fp + each.fp, fn + each.fn
    return Score(tp, fp, fn)


def read_documents(model: Model, documents: Iterable[Sequence[SentenceExample]]) -> list[Pair]:
    """Return each sentence with what the model reads out of it, read in its article."""
    return [
        pair
        for document in documents
        for pair in zip(document, model.read([example.text for example in document]), strict=True)
    ]


def scores(pairs: Sequence[Pair], seen: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the table of figures. `seen` are the names met in training: recall on all others is reported apart."""
    entity = entity_scores(pairs)
    types = type_scores(pairs)
    frequent = [s.f1 for s in types.values() if s.tp + s.fn >= FREQUENT]
    silent = [r for e, r in pairs if not e.events]
    matched = [m for e, r in pairs for m in matching(e.events, r.events)]
    found: dict[str, Any] = {
        "sentences": len(pairs),
        "gold_events": sum(len(e.events) for e, _ in pairs),
        "entity_f1_per_loc_org": total(entity[t] for t in NAMES).f1,
        "entity_f1": {t: s.f1 for t, s in sorted(entity.items())},
        "unseen_name_recall": unseen_recall(pairs, seen),
        "event_type_micro_f1": total(types.values()).f1,
        "event_type_macro_f1_frequent": sum(frequent) / max(1, len(frequent)),
        "event_type_f1": {t: s.f1 for t, s in sorted(types.items())},
        "quad_class_micro_f1": quad_score(pairs).f1,
        "false_positive_rate": sum(bool(r.events) for r in silent) / max(1, len(silent)),
        **{f"{role}_overlap_f1": role_score(matched, role).f1 for role in ("actor", "recipient", "place")},
        "status_accuracy": sum(g.status == f.status for g, f in matched) / max(1, len(matched)),
        "mode_accuracy": sum(g.mode == f.mode for g, f in matched) / max(1, len(matched)),
        "event_calibration_error": calibration_error(event_confidences(pairs)),
        "entity_calibration_error": calibration_error(entity_confidences(pairs)),
    }
    return {name: _rounded(value) for name, value in found.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def entity_scores(pairs: Sequence[Pair]) -> dict[str, Score]:
    """Return the score of each entity type, by exact span."""
    gold: dict[str, Counter[Any]] = defaultdict(Counter)
    found: dict[str, Counter[Any]] = defaultdict(Counter)
    for n, (e, r) in enumerate(pairs):
        for start, end, kind in e.entities:
            gold[kind][n, start, end] += 1
        for each in r.entities:
            found[each.type][n, each.start, each.end] += 1
    return defaultdict(lambda: Score(0, 0, 0), {k: Score.of(gold[k], found[k]) for k in {*gold, *found}})


def unseen_recall(pairs: Sequence[Pair], seen: frozenset[str]) -> float:
    """Return the recall on persons, places and organisations whose very words were in no training sentence."""
    hits = cases = 0
    for e, r in pairs:
        found = {(x.start, x.end, x.type) for x in r.entities}
        for start, end, kind in e.entities:
            if kind in NAMES and e.text[start:end] not in seen:
                cases += 1
                hits += (start, end, kind) in found
    return hits / max(1, cases)


def names_in(documents: Iterable[Sequence[SentenceExample]]) -> frozenset[str]:
    """Return the words of every person, place and organisation in these documents."""
    return frozenset(e.text[a:b] for d in documents for e in d for a, b, kind in e.entities if kind in NAMES)


def type_scores(pairs: Sequence[Pair]) -> dict[str, Score]:
    """Return the score of each event type, per sentence as multisets."""
    gold: dict[str, Counter[int]] = defaultdict(Counter)
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for n, (e, r) in enumerate(pairs):
        for event in e.events:
            gold[event.type][n] += 1
        for each in r.events:
            found[each.type][n] += 1
    return {kind: Score.of(gold[kind], found[kind]) for kind in sorted({*gold, *found})}


def quad_score(pairs: Sequence[Pair]) -> Score:
    """Return the score of quad classes over the sentences that report events, per sentence as multisets."""
    quad = {kind: each["quad"] for kind, each in facts()["types"].items()}
    return total(
        Score.of(Counter(quad[g.type] for g in e.events), Counter(quad[f.type] for f in r.events))
        for e, r in pairs
        if e.events
    )


def matching(gold: Sequence[EventExample], found: Sequence[EventSpan]) -> list[tuple[EventExample, EventSpan]]:
    """Return pairs of gold and found events of one type, in the order of their triggers."""
    out = []
    left = sorted(found, key=lambda f: f.trigger)
    for g in sorted(gold, key=lambda g: g.trigger):
        same = next((f for f in left if f.type == g.type), None)
        if same is not None:
            left.remove(same)
            out.append((g, same))
    return out


def role_score(matched: Sequence[tuple[EventExample, EventSpan]], role: str) -> Score:
    """Return the score of one role's spans; a span is right when it overlaps one that is."""
    each = []
    for g, f in matched:
        gold = [(a, b) for r, a, b in g.arguments if r == role]
        found = list({"actor": f.actors, "recipient": f.recipients, "place": f.places}[role])
        hits = 0
        for a, b in gold:
            same = next((s for s in found if s.start < b and a < s.end), None)
            if same is not None:
                found.remove(same)
                hits += 1
        each.append(Score(hits, len(found), len(gold) - hits))
    return total(each)


def event_confidences(pairs: Sequence[Pair]) -> list[tuple[float, bool]]:
    """Return the confidence of each event found, and whether its sentence reports one of that type."""
    return [(f.confidence, f.type in {g.type for g in e.events}) for e, r in pairs for f in r.events]


def entity_confidences(pairs: Sequence[Pair]) -> list[tuple[float, bool]]:
    """Return the confidence of each entity found, and whether span and type are right."""
    return [(x.confidence, (x.start, x.end, x.type) in e.entities) for e, r in pairs for x in r.entities]


def calibration_error(found: Sequence[tuple[float, bool]]) -> float:
    """Return the expected calibration error: mean distance of confidence and share of hits over ten equal bins
    (Guo et al. 2017), weighted by their sizes."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for confidence, right in found:
        bins[min(_BINS - 1, int(confidence * _BINS))].append((confidence, right))
    distance = sum(abs(sum(c for c, _ in b) - sum(r for _, r in b)) for b in bins.values())
    return distance / max(1, len(found))
