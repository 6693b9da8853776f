"""How the parts of an enriched article are worded for a person, on a terminal as on a page."""

import re
from collections.abc import Sequence

from pipeline.events import DateRange, EnrichedArticle, NewsEvent, Participant, Place, TimeExpression

QUAD_CLASSES = {
    1: "verbal cooperation",
    2: "material cooperation",
    3: "verbal conflict",
    4: "material conflict",
}

EVENTS = "Events (2 = 1: event 1 told again; in brackets: said in another sentence)"
"""The caption of a table whose rows are numbered and worded as below."""

# Control characters move a terminal's cursor and more; the others turn the order in which letters are shown.
UNSEEN = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")
"""Characters that are not seen and change how others are."""


def shown(text: str) -> str:
    """Return text without the characters that are not seen and change how the rest is: for screens, not for data."""
    return UNSEEN.sub("", text)


def headline(enriched: EnrichedArticle) -> str:
    """Return the title, or the first words of the body of an article that has none."""
    article = enriched.article
    if article.title:
        return article.title
    spans = sorted(article.sentences, key=lambda each: (each.kind != "body", each.start))
    first = article.text[spans[0].start : spans[0].end] if spans else article.text
    return first if len(first) <= 80 else f"{first[:79].rstrip()}…"


def names(participants: Sequence[Participant]) -> str:
    """Return who took part, each with country and sectors: `M. Austin = Lloyd Austin (USA GOV MIL)`."""
    return ", ".join(map(_named, participants))


def numbers(events: Sequence[NewsEvent]) -> list[str]:
    """Return a number for each event, and which one it tells again: `1`, `2`, `3 = 1`."""
    of = {event.event_id: n for n, event in enumerate(events, start=1)}
    return [f"{n} = {of[e.same_as]}" if e.same_as in of else str(n) for n, e in enumerate(events, start=1)]


def where(event: NewsEvent) -> str:
    """Return an event's place, in brackets where another sentence says it, or nothing."""
    return _lent(event, "place", _place(event.place))


def day(event: NewsEvent) -> str:
    """Return an event's date, in brackets where another sentence says it, or nothing."""
    return _lent(event, "date", when(event.date))


def _lent(event: NewsEvent, name: str, words: str) -> str:
    return f"[{words}]" if name in event.inferred else words


def _place(place: Place | None) -> str:
    if place is None:
        return ""
    return f"{place.text} ({place.country})" if place.country else place.text


def when(date: DateRange | TimeExpression | None) -> str:
    """Return an interval as a person writes it: the day alone, or both ends of a longer one."""
    if date is None:
        return ""
    if date.granularity in ("day", "hour", "instant"):
        return date.from_
    return f"{date.from_} → {date.to}"


def _named(who: Participant) -> str:
    known = " ".join(filter(None, (who.country, *who.sectors)))
    name = f"{who.text} = {who.name}" if who.name and who.name not in who.text else who.text
    return f"{name} ({known})" if known else name


def mention_counts(enriched: EnrichedArticle) -> dict[str, int]:
    """Return how often each entity is mentioned."""
    counts: dict[str, int] = {}
    for mention in enriched.mentions:
        if mention.entity_id is not None:
            counts[mention.entity_id] = counts.get(mention.entity_id, 0) + 1
    return counts
