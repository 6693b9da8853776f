"""How the parts of an enriched article are worded for a person, on a terminal as on a page."""

import re
from collections.abc import Sequence

from pipeline.events import DateRange, EnrichedArticle, Participant, Place, TimeExpression

QUAD_CLASSES = {
    1: "verbal cooperation",
    2: "material cooperation",
    3: "verbal conflict",
    4: "material conflict",
}

# Control characters move a terminal's cursor and more; the others turn the order in which letters are shown.
_UNSEEN = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")


def shown(text: str) -> str:
    """Return text without the characters that are not seen and change how the rest is: for screens, not for data."""
    return _UNSEEN.sub("", text)


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


def where(place: Place | None) -> str:
    """Return a place with its country, or nothing."""
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
