"""The archive's tables in the simplest way: a dict for each row. What `pipeline.store` makes must be the same."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from pipeline import codec
from pipeline.errors import Flaw
from pipeline.events import EnrichedArticle, Evidence, NewsEvent, Quote, Withdrawn
from pipeline.ports import Record
from pipeline.store.tables import ENRICHED_TABLES, UNDECODABLE

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def tables(records: Sequence[Record]) -> Mapping[str, pa.Table]:
    rows: Rows = defaultdict(list)
    for record in records:
        for table, more in _rows(record).items():
            rows[table] += more
    schemas = ENRICHED_TABLES | ({"undecodable": UNDECODABLE} if "undecodable" in rows else {})
    return {name: pa.Table.from_pylist(rows[name], schema) for name, schema in schemas.items()}


def _rows(record: Record) -> Rows:
    event = codec.decode(record)
    if isinstance(event, Flaw):
        return _left_over(record, event)
    origin: Row = {"source_event_id": event.envelope.id, "log_offset": record.offset}
    data = event.data
    if isinstance(data, EnrichedArticle):
        return _of_article(data, origin | {"article_id": data.article.article_id, "revision": data.article.revision})
    if isinstance(data, Withdrawn):
        row = origin | {"article_id": data.article_id, "revision": data.revision, "withdrawn": True}
        return {"articles": [row | {"source": data.source, "url": data.url, "fetched_at": data.fetched_at}]}
    return _left_over(record, Flaw("unknown_type", f"{event.envelope.type} does not belong into this topic"))


def _left_over(record: Record, flaw: Flaw) -> Rows:
    heads = dict(record.headers)
    row = {
        "log_offset": record.offset,
        "timestamp": record.timestamp,
        "key": record.key,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
        "value": record.value,
        "event_id": heads.get("ce_id", b"").decode(errors="replace") or None,
        "event_type": heads.get("ce_type", b"").decode(errors="replace") or None,
    }
    return {"undecodable": [row | {"reason": flaw.reason, "detail": flaw.detail}]}


def _of_article(enriched: EnrichedArticle, origin: Row) -> Rows:
    article = enriched.article
    head = origin | {
        "withdrawn": False,
        **msgspec.structs.asdict(article),
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


def _flat(name: str, evidence: Evidence) -> Row:
    return {name: evidence.text, f"{name}_start": evidence.start, f"{name}_end": evidence.end}


def _quote_row(quote: Quote) -> Row:
    row: Row = {name: getattr(quote, name) for name in ("start", "end", "text", "entity_id", "name")}
    for name, found in (("speaker", quote.speaker), ("cue", quote.cue)):
        row |= _flat(name, found) if found else {}
    return row


def _event_row(event: NewsEvent) -> Row:
    row: Row = msgspec.to_builtins(event)
    place, date = row.pop("place") or {}, row.pop("date") or {}
    row |= _flat("sentence", event.sentence) | _flat("trigger", event.trigger)
    row |= {f"place_{name}": value for name, value in place.items()}
    return row | {f"date_{name}": value for name, value in date.items()}
