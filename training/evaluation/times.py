"""Time expressions by themselves: of those a reader found in the test part, how many the rules resolve as he did.

`training/splits/times.tsv`: document, start, end, first day, day behind the last. How they were read stands in
`training/guidelines.md`.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from pipeline.enrich.times import Anchor, find_times
from pipeline.events import TimeExpression
from training.data import Document
from training.evaluation.articles import Share, article_of

GOLD = Path(__file__).parents[1] / "splits" / "times.tsv"
_CLOCK = frozenset(("hour", "instant"))


class GoldTime(NamedTuple):
    """An expression at code points start ≤ i < end of its document, and the days it means, the last one excluded."""

    document: str
    start: int
    end: int
    first: str
    behind: str


class Times(NamedTuple):
    """What the rules gave: gold's expressions resolved right, and of what they found, how much gold does not have."""

    right: Share
    spurious: Share


def gold_times(path: Path = GOLD) -> list[GoldTime]:
    """Return the expressions that were read, in order of the file."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return [GoldTime(document, int(start), int(end), first, behind) for document, start, end, first, behind in rows]


def measure_times(documents: Iterable[Document], gold: Iterable[GoldTime]) -> Times:
    """Return how the rules do on `documents`. Right: some expression at that place means the same days.

    A clock time is neither right nor wrong: its day is what counts.
    """
    wanted: dict[str, list[GoldTime]] = defaultdict(list)
    for each in gold:
        wanted[each.document].append(each)
    right = cases = spurious = found_at_all = 0
    for document in documents:
        article = article_of(document)
        anchor = Anchor.of(article.published_at, article.published_precision)
        found = [each for each in find_times(article, anchor) if each.granularity not in _CLOCK]
        here = wanted[document["id"]]
        cases += len(here)
        right += sum(any(_meet(one, each) and _days(each) == (one.first, one.behind) for each in found) for one in here)
        found_at_all += len(found)
        spurious += sum(not any(_meet(one, each) for one in here) for each in found)
    return Times(Share(right, cases), Share(spurious, found_at_all))


def _meet(one: GoldTime, other: TimeExpression) -> bool:
    return one.start < other.end and other.start < one.end


def _days(found: TimeExpression) -> tuple[str, str]:
    """Return the days an interval touches, the last one excluded."""
    to = date.fromisoformat(found.to[:10])
    return found.from_[:10], (to + timedelta(days="T" in found.to)).isoformat()
