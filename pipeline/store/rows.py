"""One enriched article → rows of each table. Pure."""

from typing import Any

import msgspec

from pipeline.events import EnrichedArticle, Evidence, NewsEvent, Quote, Withdrawn

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def rows_of_withdrawal(gone: Withdrawn, origin: Row) -> Rows:
    """Return the one row that tells every projection to drop the article."""
    return {
        "articles": [
            origin | {"withdrawn": True, "source": gone.source, "url": gone.url, "fetched_at": gone.fetched_at}
        ]
    }


def rows_of(enriched: EnrichedArticle, origin: Row) -> Rows:
    """Return the article's rows of every table; `origin` holds the columns all of them share."""
    article = enriched.article
    head = origin | {
        "withdrawn": False,
        **{name: getattr(article, name) for name in _ARTICLE_COLUMNS},
        "authors": list(article.authors),
        "notes": list(article.notes),
        "sentences": [msgspec.to_builtins(s) for s in article.sentences],
        "processed_at": enriched.processed_at,
        "model_name": enriched.model.name,
        "model_version": enriched.model.version,
        "model_sha256": enriched.model.sha256,
    }
    told = {"source": article.source, "published_at": article.published_at}
    return {
        "articles": [head],
        "mentions": [origin | msgspec.to_builtins(m) for m in enriched.mentions],
        "entities": [origin | msgspec.to_builtins(e) for e in enriched.entities],
        "times": [origin | msgspec.to_builtins(t) for t in enriched.times],
        "events": [origin | told | _event_row(e) for e in enriched.events],
        "quotes": [origin | _quote_row(q) for q in enriched.quotes],
    }


_ARTICLE_COLUMNS = (
    "source",
    "url",
    "title",
    "published_at",
    "published_precision",
    "fetched_at",
    "language",
    "content_hash",
    "text",
)


def _flat(name: str, evidence: Evidence) -> Row:
    return {name: evidence.text, f"{name}_start": evidence.start, f"{name}_end": evidence.end}


def _quote_row(quote: Quote) -> Row:
    row: Row = {name: getattr(quote, name) for name in ("start", "end", "text", "entity_id", "name")}
    for name, found in (("speaker", quote.speaker), ("cue", quote.cue)):
        row |= _flat(name, found) if found else {}
    return row


def _event_row(event: NewsEvent) -> Row:
    plain = msgspec.to_builtins(event)
    row = {name: plain[name] for name in _EVENT_COLUMNS}
    row |= _flat("sentence", event.sentence) | _flat("trigger", event.trigger)
    row |= {f"place_{name}": value for name, value in (plain["place"] or {}).items()}
    row |= {f"date_{name}": value for name, value in (plain["date"] or {}).items()}
    return row


_EVENT_COLUMNS = (
    "event_id",
    "type",
    "mode",
    "contexts",
    "status",
    "confidence",
    "quad_class",
    "plover_score",
    "cameo_root",
    "goldstein",
    "actors",
    "recipients",
    "inferred",
)
