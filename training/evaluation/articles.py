"""Whole articles through the whole of enrich: what the rules add to the model, measured where gold says what is right.

Dates and countries are compared within events of the right type that the model found, as a user meets them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.enrich import read_article
from pipeline.events import Article, DateRange, NewsEvent, Participant, Sentence
from pipeline.identity import content_hash
from pipeline.ports import Model
from training.data import Document

COUNTRIES = Path(__file__).parents[1] / "splits" / "place_countries.tsv"
"""Document, start, end, country (ISO 3166 alpha-3, `-` for none) of the places of the test part's events."""
_KINDS = {"titre": "heading", "chapô": "body", "intertitre": "heading", "légende": "caption", "dateline": "dateline"}


class Share(NamedTuple):
    """How many of how many."""

    right: int
    cases: int

    @property
    def value(self) -> float:
        return self.right / max(1, self.cases)


class Found(NamedTuple):
    """What whole articles gave: dates of events (all, and those gold dates), countries of actors and recipients, and of
    places, status and mode after the rules; types after the rules, as an F1, and sentences wrongly given an event."""

    date: Share
    date_where_gold_has_one: Share
    country: Share
    place_country: Share
    status: Share
    mode: Share
    types: Share
    false_positives: Share


def article_of(document: Document) -> Article:
    """Return an annotated text as the article that normalise would have made of it."""
    day = document["date"]
    sentences = [
        Sentence(start=s["start"], end=s["end"], kind=_KINDS.get(s.get("kind", ""), "body"))  # type: ignore[arg-type]
        for s in document["sentences"]
    ]
    return Article(
        article_id=document["id"],
        revision=1,
        source="evaluation",
        url=None,
        title=None,
        authors=(),
        published_at=datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC) if day else None,
        published_precision="day" if day else None,
        fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
        language="fr",
        content_hash=content_hash(None, document["text"]),
        text=document["text"],
        sentences=tuple(sentences),
    )


def measure(model: Model, documents: Iterable[Document]) -> Found:
    """Return what is right among the events found whose type is right, sentence by sentence, in order."""
    right: Counter[str] = Counter()
    cases: Counter[str] = Counter()
    for document in documents:
        article = article_of(document)
        read = read_article(article, model=model, now=article.fetched_at)
        for wanted, given in _types(document, read.events):
            hits = (wanted & given).total()
            right["types"] += 2 * hits
            cases["types"] += wanted.total() + given.total()
            cases["false_positives"] += not wanted
            right["false_positives"] += not wanted and bool(given)
        for gold, found in _matched(document, read.events):
            # Gold dates are those of the event's own sentence; what another telling lends is no part of them.
            own_date = None if "date" in found.inferred else found.date
            same_date = interval_of(gold["date"]) == _interval(own_date)
            checks = [
                ("date", same_date),
                ("status", gold["status"] == found.status),
                ("mode", gold["mode"] == found.mode),
            ]
            if gold["date"]:
                checks.append(("date_where_gold_has_one", same_date))
            checks += [
                ("country", participant.country == span["country"])
                for span, participant in _overlapping(gold, found)
                if span.get("country")
            ]
            country = _place_country(document["id"], gold, found)
            if country is not None:
                checks.append(("place_country", country))
            cases.update(name for name, _ in checks)
            right.update(name for name, is_so in checks if is_so)
    return Found(**{name: Share(right[name], cases[name]) for name in Found._fields})


def _types(document: Document, events: Iterable[NewsEvent]) -> list[tuple[Counter[str], Counter[str]]]:
    """Return the types of each sentence, gold's and found."""
    by_start: dict[int, Counter[str]] = {s["start"]: Counter() for s in document["sentences"]}
    for each in events:
        by_start[each.sentence.start][each.type] += 1
    wanted: list[Counter[str]] = [Counter() for _ in document["sentences"]]
    for gold in document["events"]:
        wanted[gold["sentence"]][gold["type"]] += 1
    return list(zip(wanted, by_start.values(), strict=True))


def _matched(document: Document, events: Iterable[NewsEvent]) -> list[tuple[Mapping[str, Any], NewsEvent]]:
    left = list(events)
    out = []
    for gold in document["events"]:
        sentence = document["sentences"][gold["sentence"]]
        same = next((e for e in left if e.sentence.start == sentence["start"] and e.type == gold["type"]), None)
        if same is not None:
            left.remove(same)
            out.append((gold, same))
    return out


def _place_country(document: str, gold: Mapping[str, Any], found: NewsEvent) -> bool | None:
    """Tell whether the place found lies in the country of the place it is; None where no reader said which."""
    place = found.place
    if place is None or "place" in found.inferred:
        return None
    here = (p for p in gold["places"] if p["start"] < place.end and place.start < p["end"])
    read = [
        _countries()[document, p["start"], p["end"]] for p in here if (document, p["start"], p["end"]) in _countries()
    ]
    return place.country == read[0] if read else None


@cache
def _countries() -> Mapping[tuple[str, int, int], str | None]:
    """Return the country of each place of an event, as read; None where it lies in no one country."""
    lines = COUNTRIES.read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {(d, int(start), int(end)): None if country == "-" else country for d, start, end, country in rows}


def _overlapping(gold: Mapping[str, Any], found: NewsEvent) -> list[tuple[Mapping[str, Any], Participant]]:
    pairs = ((gold["actors"], found.actors), (gold["recipients"], found.recipients))
    return [
        (span, participant)
        for spans, participants in pairs
        for span in spans
        for participant in participants
        if participant.start < span["end"] and span["start"] < participant.end
    ]


def interval_of(gold: str | None) -> tuple[str, str] | None:
    """Return a gold date, `2018-12-04`, `2018-12`, `2018` or `from/to` with exclusive end, as a half-open interval."""
    if not gold:
        return None
    start, slash, end = gold.partition("/")
    return (_first(start), _first(end)) if slash else (_first(start), _behind(start))


def _first(day: str) -> str:
    return {4: f"{day}-01-01", 7: f"{day}-01"}.get(len(day), day)


def _behind(day: str) -> str:
    first = date.fromisoformat(_first(day))
    if len(day) == 4:
        return date(first.year + 1, 1, 1).isoformat()
    if len(day) == 7:
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1).isoformat()
    return (first + timedelta(days=1)).isoformat()


def _interval(found: DateRange | None) -> tuple[str, str] | None:
    return (found.from_[:10], found.to[:10]) if found else None
