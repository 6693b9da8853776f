"""An enriched article as tables for a terminal."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.events import EnrichedArticle, NewsEvent, TimeExpression
from pipeline.render.words import EVENTS, day, headline, mention_counts, names, numbers, shown, when, where

_QUAD_STYLES = {1: "green", 2: "bold green", 3: "yellow", 4: "bold red"}


def tables(enriched: EnrichedArticle) -> RenderableType:
    """Return the article's head, events, entities and times as tables for a terminal."""
    article = enriched.article
    published = article.published_at.date().isoformat() if article.published_at else "date unknown"
    head = Text.assemble(
        (shown(headline(enriched)), "bold"), f"\n{shown(article.source)}, {published}, {article.article_id}"
    )
    return Group(head, _event_table(enriched.events), _entity_table(enriched), _time_table(enriched.times), "")


def _event_table(events: Sequence[NewsEvent]) -> Table:
    table = _table(EVENTS, "no", "type", "who", "to whom", "where", "when", "status", "evidence")
    for number, event in zip(numbers(events), events, strict=True):
        table.add_row(
            number,
            Text(f"{event.type} {event.mode or ''}".strip(), style=_QUAD_STYLES[event.quad_class]),
            Text(shown(names(event.actors))),
            Text(shown(names(event.recipients))),
            Text(shown(where(event))),
            Text(day(event)),
            Text(event.status),
            Text(shown(f"“{event.trigger.text}”")),
        )
    return table


def _entity_table(enriched: EnrichedArticle) -> Table:
    table = _table("Entities", "type", "name", "country", "sectors", "GeoNames", "mentions")
    counts = mention_counts(enriched)
    for entity in enriched.entities:
        table.add_row(
            entity.type,
            Text(shown(entity.name)),
            entity.country or "",
            " ".join(entity.sectors),
            str(entity.geonames_id or ""),
            str(counts.get(entity.entity_id, 0)),
        )
    return table


def _time_table(times: Iterable[TimeExpression]) -> Table:
    table = _table("Times", "expression", "means", "granularity")
    for time in times:
        table.add_row(Text(shown(time.text)), when(time), time.granularity)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
