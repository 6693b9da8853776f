"""Two versions side by side: how many of what, which articles differ, how far the types drifted.

Only what readers see is counted: of each article its newest revision, nothing of a withdrawn one. The drift of a
set of shares is their total variation distance, half the sum of the differences: 0 when nothing moved, 1 when
nothing is left where it was. Memory holds a line for each article of both versions.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.flow import ENRICHED
from pipeline.manifest import checked, manifests
from pipeline.ports import ObjectStore

_EXAMPLES = 10
_EVENT_COLUMNS = ("mode", "status", "trigger_start", "trigger_end", "place_country", "date_from", "date_to")


class Drift(msgspec.Struct, frozen=True):
    """One type: how often in each version, and the difference of its shares in percentage points."""

    name: str
    before: int
    after: int
    points: float


class Articles(msgspec.Struct, frozen=True):
    """How many articles are in one version only, have another text, or the same text and another reading."""

    added: int
    removed: int
    other_text: int
    other_reading: int
    same: int
    examples: dict[str, list[str]]
    """Some ids of each kind that differs."""


class Comparison(msgspec.Struct, frozen=True):
    """What changes for readers who go from `before` to `after`."""

    before: str
    after: str
    counts: dict[str, tuple[int, int]]
    articles: Articles
    event_types: list[Drift]
    event_drift: float
    entity_types: list[Drift]
    entity_drift: float
    sources: list[Drift]
    rejected: dict[str, int]
    """`stage: reason` → count, of `after`; what the live line turned down is in its own topics."""


@dataclass
class _Content:
    """What a version shows: per article its revision, content hash and the sum of what was read in it."""

    newest: dict[str, tuple[int, bool]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    readings: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    entities: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    mentions: int = 0
    quotes: int = 0

    def counts(self) -> dict[str, int]:
        """Return how many of each there are."""
        return {
            "articles": len(self.texts),
            "withdrawn": self.withdrawn,
            "events": self.events.total(),
            "mentions": self.mentions,
            "quotes": self.quotes,
        }


def compare(before: tuple[str, ObjectStore], after: tuple[str, ObjectStore]) -> Comparison:
    """Return what differs between two versions, each a name and the store as its readers see it."""
    one, two = _content(before[1]), _content(after[1])
    return Comparison(
        before=before[0],
        after=after[0],
        counts={name: (count, two.counts()[name]) for name, count in one.counts().items()},
        articles=_articles(one, two),
        event_types=_drifts(one.events, two.events),
        event_drift=distance(one.events, two.events),
        entity_types=_drifts(one.entities, two.entities),
        entity_drift=distance(one.entities, two.entities),
        sources=_drifts(one.sources, two.sources),
        rejected=dict(sorted(two.rejected.items())),
    )


def distance(one: Mapping[str, int], two: Mapping[str, int]) -> float:
    """Return the total variation distance of two distributions; 1 where only one of them has anything."""
    a, b = sum(one.values()), sum(two.values())
    if not a or not b:
        return float(bool(a or b))
    return round(sum(abs(one.get(n, 0) / a - two.get(n, 0) / b) for n in {*one, *two}) / 2, 4)


def _drifts(one: Counter[str], two: Counter[str]) -> list[Drift]:
    a, b = one.total() or 1, two.total() or 1
    found = [Drift(n, one[n], two[n], round(100 * (two[n] / b - one[n] / a), 1)) for n in {*one, *two}]
    return sorted(found, key=lambda drift: (-abs(drift.points), drift.name))


def _articles(one: _Content, two: _Content) -> Articles:
    kinds: dict[str, int] = defaultdict(int)
    examples: dict[str, list[str]] = defaultdict(list)
    for name in sorted({*one.texts, *two.texts}):
        kind = _kind(name, one, two)
        kinds[kind] += 1
        if kind != "same" and len(examples[kind]) < _EXAMPLES:
            examples[kind].append(name)
    fields = ("added", "removed", "other_text", "other_reading", "same")
    return Articles(**{kind: kinds[kind] for kind in fields}, examples=dict(examples))


def _kind(name: str, one: _Content, two: _Content) -> str:
    if name not in one.texts:
        return "added"
    if name not in two.texts:
        return "removed"
    if one.texts[name] != two.texts[name]:
        return "other_text"
    return "same" if one.readings[name] == two.readings[name] else "other_reading"


def _content(store: ObjectStore) -> _Content:
    found = _Content()
    for table in _tables(store, "articles", ["article_id", "revision", "withdrawn"]):
        for name, revision, withdrawn in _rows(table):
            if revision > found.newest.get(name, (0, False))[0]:
                found.newest[name] = (revision, withdrawn)
    found.withdrawn = sum(withdrawn for _, withdrawn in found.newest.values())
    for table in _tables(store, "articles", ["article_id", "revision", "content_hash", "source"]):
        for name, content, source in _shown(table, found):
            found.texts[name] = content
            found.sources[source] += 1
    _read(store, found, "events", ["type", *_EVENT_COLUMNS], found.events)
    _read(store, found, "entities", ["type", "entity_id"], found.entities)
    found.mentions = _read(store, found, "mentions", ["type", "start", "end"], Counter())
    found.quotes = _read(store, found, "quotes", ["start", "end"], Counter())
    for table in _tables(store, "outcomes", ["outcome", "stage", "reason"]):
        found.rejected.update(f"{stage}: {why}" for outcome, stage, why in _rows(table) if outcome == "rejected")
    return found


def _read(store: ObjectStore, found: _Content, name: str, columns: list[str], kinds: Counter[Any]) -> int:
    """Count what is shown of a table by its first column, and add each row to the reading of its article."""
    count = 0
    for table in _tables(store, name, ["article_id", "revision", *columns]):
        for article, *values in _shown(table, found):
            kinds[values[0]] += 1
            # A sum of hashes tells readings apart in whatever order they come; they live in this process only.
            found.readings[article] += hash((name, *values))
            count += 1
    return count


def _shown(table: pa.Table, found: _Content) -> Iterator[tuple[Any, ...]]:
    """Yield article and further columns of the rows that readers see."""
    for name, revision, *values in _rows(table):
        if found.newest.get(name) == (revision, False):
            yield (name, *values)


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*table.to_pydict().values(), strict=True)


def _tables(store: ObjectStore, name: str, columns: list[str]) -> Iterator[pa.Table]:
    for _, manifest in manifests(store, ENRICHED):
        if name in manifest.tables:
            yield pq.read_table(pa.BufferReader(checked(manifest.tables[name], store)), columns=columns)
