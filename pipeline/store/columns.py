"""Enriched articles → the columns of each table. Pure.

An article has some tens of mentions, entities and events. They never become rows: each field of a whole batch
becomes one Arrow array, and what all rows of an article share is repeated by Arrow. Rows as dicts took three
times as long.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from pipeline.events import (
    DateRange,
    EnrichedArticle,
    Entity,
    Event,
    Evidence,
    Mention,
    NewsEvent,
    Place,
    Quote,
    TimeExpression,
    Withdrawn,
)
from pipeline.store.tables import ARTICLES, ENRICHED_TABLES

_Columns = Mapping[str, Sequence[Any]]

_FOUND: Mapping[str, type[Struct]] = {
    "mentions": Mention,
    "entities": Entity,
    "times": TimeExpression,
    "events": NewsEvent,
    "quotes": Quote,
}
"""Table → what its rows are made of; an enriched article has a field of the same name."""

_UNFOLDED: Mapping[str, type[Struct]] = {
    "sentence": Evidence,
    "trigger": Evidence,
    "speaker": Evidence,
    "cue": Evidence,
    "place": Place,
    "date": DateRange,
}
"""Fields whose own fields are columns: `trigger`, `trigger_start`, `place_name` …"""


def tables_of(read: Sequence[tuple[Event, int]]) -> dict[str, pa.Table]:
    """Return every table's rows of these enriched articles and withdrawals, each with its offset in the log.

    Raises `pa.ArrowException`, `OverflowError` or `UnicodeEncodeError` where a value does not fit its column.
    """
    heads = [_head(event, offset) for event, offset in read]
    articles = table({name: [head.get(name) for head in heads] for name in ARTICLES.names}, ARTICLES)
    whole = [(row, event.data) for row, (event, _) in enumerate(read) if isinstance(event.data, EnrichedArticle)]
    out = {"articles": articles}
    for name, cls in _FOUND.items():
        lists = [getattr(enriched, name) for _, enriched in whole]
        columns = _columns(list(chain.from_iterable(lists)), cls)
        owners = [row for (row, _), each in zip(whole, lists, strict=True) for _ in each]
        schema = ENRICHED_TABLES[name]
        shared = [column for column in schema.names if column not in columns]
        repeated = articles.select(shared).take(pa.array(owners, pa.int32()))
        out[name] = table(columns, schema, repeated)
    return out


def table(columns: _Columns, schema: pa.Schema, ready: pa.Table | None = None) -> pa.Table:
    """Return a table of this schema; a column that is not in `columns` is taken from `ready`."""
    arrays = [
        array(columns[field.name], field.type) if field.name in columns or ready is None else ready[field.name]
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def array(values: Sequence[Any], kind: pa.DataType) -> "pa.Array[Any]":
    """Return the values as an Arrow array. Lists of structs (or of tuples) are laid out flat, field by field."""
    if not (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        return pa.array(values, kind)
    starts: list[int | None] = []
    end = 0
    for each in values:
        starts.append(None if each is None else end)
        end += len(each or ())
    items = list(chain.from_iterable(each or () for each in values))
    fields = list(kind.value_type)
    named = bool(items) and isinstance(items[0], Struct)
    getters = [attrgetter(field.name) if named else itemgetter(n) for n, field in enumerate(fields)]
    arrays = [array(list(map(get, items)), field.type) for get, field in zip(getters, fields, strict=True)]
    flat = pa.StructArray.from_arrays(arrays, fields=fields)
    return pa.ListArray.from_arrays(pa.array([*starts, end], pa.int32()), flat, type=kind)


def _head(event: Event, offset: int) -> dict[str, Any]:
    """Return an article's own row; a withdrawal has few columns, and tells every projection to drop the article."""
    data = event.data
    origin: dict[str, Any] = {"source_event_id": event.envelope.id, "log_offset": offset}
    if isinstance(data, Withdrawn):
        gone = {name: getattr(data, name) for name in ("article_id", "revision", "source", "url", "fetched_at")}
        return origin | gone | {"withdrawn": True}
    assert isinstance(data, EnrichedArticle)
    return origin | {
        **msgspec.structs.asdict(data.article),
        "withdrawn": False,
        "processed_at": data.processed_at,
        "model_name": data.model.name,
        "model_version": data.model.version,
        "model_sha256": data.model.sha256,
    }


def _columns(items: Sequence[Struct], cls: type[Struct]) -> _Columns:
    out: dict[str, Sequence[Any]] = {}
    for name, field in _fields(cls):
        values = list(map(attrgetter(field), items))
        out |= _unfold(name, values) if name in _UNFOLDED else {name: values}
    return out


def _unfold(name: str, values: Sequence[Struct | None]) -> _Columns:
    cls = _UNFOLDED[name]
    return {
        name if cls is Evidence and inner == "text" else f"{name}_{inner}": [getattr(v, field, None) for v in values]
        for inner, field in _fields(cls)
    }


def _fields(cls: type[Struct]) -> list[tuple[str, str]]:
    """Return each field as it is called on the wire and in the class."""
    return list(zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True))
