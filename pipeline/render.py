"""Enriched articles for people and programs: one JSON object a line, tables on a terminal, a page to read.

The JSON is the contract of the command line: `EnrichedArticle` as it is, one article a line.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.events import DateRange, EnrichedArticle, NewsEvent, Participant, Place, TimeExpression

_ENCODER = msgspec.json.Encoder()
QUAD_CLASSES = {
    1: "verbal cooperation",
    2: "material cooperation",
    3: "verbal conflict",
    4: "material conflict",
}
_QUAD_STYLES = {1: "green", 2: "bold green", 3: "yellow", 4: "bold red"}


def json_line(enriched: EnrichedArticle) -> str:
    """Return the article as one line of JSON, without the newline."""
    return _ENCODER.encode(enriched).decode()


def tables(enriched: EnrichedArticle) -> RenderableType:
    """Return the article's head, events, entities and times as tables for a terminal."""
    article = enriched.article
    published = article.published_at.date().isoformat() if article.published_at else "date unknown"
    head = Text.assemble((headline(enriched), "bold"), f"\n{article.source}, {published}, {article.article_id}")
    return Group(head, _event_table(enriched.events), _entity_table(enriched), _time_table(enriched.times), "")


def headline(enriched: EnrichedArticle) -> str:
    """Return the title, or the first words of an article that has none."""
    article = enriched.article
    if article.title:
        return article.title
    first = article.text[: article.sentences[0].end] if article.sentences else article.text
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


def _event_table(events: Iterable[NewsEvent]) -> Table:
    table = _table("Events", "type", "who", "to whom", "where", "when", "status", "evidence")
    for event in events:
        table.add_row(
            Text(f"{event.type} {event.mode or ''}".strip(), style=_QUAD_STYLES[event.quad_class]),
            Text(names(event.actors)),
            Text(names(event.recipients)),
            Text(where(event.place)),
            Text(when(event.date)),
            Text(event.status),
            Text(f"“{event.trigger.text}”"),
        )
    return table


def _entity_table(enriched: EnrichedArticle) -> Table:
    table = _table("Entities", "type", "name", "country", "sectors", "GeoNames", "mentions")
    counts = mention_counts(enriched)
    for entity in enriched.entities:
        table.add_row(
            entity.type,
            Text(entity.name),
            entity.country or "",
            " ".join(entity.sectors),
            str(entity.geonames_id or ""),
            str(counts.get(entity.entity_id, 0)),
        )
    return table


def mention_counts(enriched: EnrichedArticle) -> dict[str, int]:
    """Return how often each entity is mentioned."""
    counts: dict[str, int] = {}
    for mention in enriched.mentions:
        if mention.entity_id is not None:
            counts[mention.entity_id] = counts.get(mention.entity_id, 0) + 1
    return counts


def _time_table(times: Iterable[TimeExpression]) -> Table:
    table = _table("Times", "expression", "means", "granularity")
    for time in times:
        table.add_row(Text(time.text), when(time), time.granularity)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def json_lines(articles: Iterable[EnrichedArticle]) -> Iterator[str]:
    """Yield one line of JSON for each article, without the newline."""
    return map(json_line, articles)
