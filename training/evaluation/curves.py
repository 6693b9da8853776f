"""What the page draws: confusions of types, precision and recall by threshold, confidence against truth."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from training.scores import Pair, type_scores

NONE = "none"
_BINS = 10
_DRAWS = 1000


class Point(NamedTuple):
    """One end of a threshold: precision and recall from there up."""

    threshold: float
    precision: float
    recall: float


class Bin(NamedTuple):
    """Findings of about one confidence: their mean confidence, the share that is right, and how many they are."""

    confidence: float
    right: float
    size: int


def confusion(pairs: Sequence[Pair]) -> Mapping[tuple[str, str], int]:
    """Return counts by (gold type, found type). In each sentence equal types are paired first, what is left in
    order; an event without a partner is paired with `none`."""
    out: Counter[tuple[str, str]] = Counter()
    for example, reading in pairs:
        gold = Counter(event.type for event in example.events)
        found = Counter(event.type for event in reading.events)
        same = gold & found
        out.update({(kind, kind): n for kind, n in same.items()})
        left, over = sorted((gold - same).elements()), sorted((found - same).elements())
        longest = max(len(left), len(over))
        left, over = left + [NONE] * (longest - len(left)), over + [NONE] * (longest - len(over))
        out.update(zip(left, over, strict=True))
    return out


def precision_recall(pairs: Sequence[Pair], kind: str) -> list[Point]:
    """Return the curve of one type; `pairs` hold findings of any confidence."""
    cases = sum(event.type == kind for example, _ in pairs for event in example.events)
    found = sorted(
        (
            (event.confidence, kind in {g.type for g in example.events})
            for example, reading in pairs
            for event in reading.events
            if event.type == kind
        ),
        reverse=True,
    )
    out, hits = [], 0
    for n, (confidence, right) in enumerate(found, 1):
        hits += right
        out.append(Point(confidence, hits / n, hits / max(1, cases)))
    return out


def reliability(found: Sequence[tuple[float, bool]]) -> list[Bin]:
    """Return ten bins of equal width that hold anything."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in found:
        bins.setdefault(min(_BINS - 1, int(confidence * _BINS)), []).append((confidence, right))
    return [
        Bin(sum(c for c, _ in each) / len(each), sum(r for _, r in each) / len(each), len(each))
        for _, each in sorted(bins.items())
    ]


def interval(pairs: Sequence[Pair], measure: Callable[[Sequence[Pair]], float]) -> tuple[float, float]:
    """Return the 95 % interval of a measure by bootstrap over articles (Efron 1979), seed 13.

    Articles, not sentences, are drawn: sentences of one article repeat each other.
    """
    articles: dict[str, list[Pair]] = {}
    for pair in pairs:
        articles.setdefault(pair[0].document, []).append(pair)
    groups = list(articles.values())
    chance = random.Random(13)
    drawn = sorted(measure([p for g in chance.choices(groups, k=len(groups)) for p in g]) for _ in range(_DRAWS))
    return drawn[int(0.025 * _DRAWS)], drawn[int(0.975 * _DRAWS) - 1]


def type_micro_f1(pairs: Sequence[Pair]) -> float:
    """Return the micro-F1 of event types."""
    found = type_scores(pairs).values()
    tp, fp, fn = (sum(getattr(s, part) for s in found) for part in ("tp", "fp", "fn"))
    return 2 * tp / max(1, 2 * tp + fp + fn)
