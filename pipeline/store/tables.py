"""The columns of every table, as Arrow schemas. Added to, never changed.

Times are UTC microseconds. Offsets are code points into `articles.text`. Each row carries `article_id`,
`revision`, the id of the event it came from and its offset in the log.
"""

import pyarrow as pa

_TIME = pa.timestamp("us", tz="UTC")
_STRINGS = pa.list_(pa.string())
_Columns = list[tuple[str, pa.DataType]]

_ORIGIN: _Columns = [
    ("article_id", pa.string()),
    ("revision", pa.int32()),
    ("source_event_id", pa.string()),
    ("log_offset", pa.int64()),
]
_SPAN: _Columns = [("start", pa.int32()), ("end", pa.int32()), ("text", pa.string())]
_SENTENCE = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("kind", pa.string())])
PARTICIPANT = pa.struct(
    [*_SPAN, ("entity_id", pa.string()), ("name", pa.string()), ("country", pa.string()), ("sectors", _STRINGS)]
)
_HEADERS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))

_RECORD: _Columns = [
    ("log_offset", pa.int64()),
    ("timestamp", _TIME),
    ("key", pa.binary()),
    ("headers", _HEADERS),
    ("value", pa.binary()),
    ("event_id", pa.string()),
    ("event_type", pa.string()),
]
RECORDS = pa.schema(_RECORD)
UNDECODABLE = pa.schema([*_RECORD, ("reason", pa.string()), ("detail", pa.string())])

ARTICLES = pa.schema(
    [
        *_ORIGIN,
        ("withdrawn", pa.bool_()),
        ("source", pa.string()),
        ("url", pa.string()),
        ("title", pa.string()),
        ("authors", _STRINGS),
        ("published_at", _TIME),
        ("published_precision", pa.string()),
        ("fetched_at", _TIME),
        ("processed_at", _TIME),
        ("language", pa.string()),
        ("content_hash", pa.string()),
        ("text", pa.string()),
        ("sentences", pa.list_(_SENTENCE)),
        ("notes", _STRINGS),
        ("model_name", pa.string()),
        ("model_version", pa.string()),
        ("model_sha256", pa.string()),
    ]
)
MENTIONS = pa.schema(
    [*_ORIGIN, *_SPAN, ("type", pa.string()), ("entity_id", pa.string()), ("confidence", pa.float64())]
)
ENTITIES = pa.schema(
    [
        *_ORIGIN,
        ("entity_id", pa.string()),
        ("type", pa.string()),
        ("name", pa.string()),
        ("country", pa.string()),
        ("sectors", _STRINGS),
        ("geonames_id", pa.int64()),
        ("lat", pa.float64()),
        ("lon", pa.float64()),
    ]
)
TIMES = pa.schema([*_ORIGIN, *_SPAN, ("from", pa.string()), ("to", pa.string()), ("granularity", pa.string())])
EVENTS = pa.schema(
    [
        *_ORIGIN,
        ("event_id", pa.string()),
        ("type", pa.string()),
        ("mode", pa.string()),
        ("contexts", _STRINGS),
        ("status", pa.string()),
        ("confidence", pa.float64()),
        ("quad_class", pa.int8()),
        ("plover_score", pa.float64()),
        ("cameo_root", pa.string()),
        ("goldstein", pa.float64()),
        ("sentence_start", pa.int32()),
        ("sentence_end", pa.int32()),
        ("sentence", pa.string()),
        ("trigger_start", pa.int32()),
        ("trigger_end", pa.int32()),
        ("trigger", pa.string()),
        ("actors", pa.list_(PARTICIPANT)),
        ("recipients", pa.list_(PARTICIPANT)),
        ("place_start", pa.int32()),
        ("place_end", pa.int32()),
        ("place_text", pa.string()),
        ("place_name", pa.string()),
        ("place_geonames_id", pa.int64()),
        ("place_lat", pa.float64()),
        ("place_lon", pa.float64()),
        ("place_country", pa.string()),
        ("date_from", pa.string()),
        ("date_to", pa.string()),
        ("date_granularity", pa.string()),
        ("source", pa.string()),
        ("published_at", _TIME),
        ("inferred", _STRINGS),
        ("same_as", pa.string()),
    ]
)
QUOTES = pa.schema(
    [
        *_ORIGIN,
        *_SPAN,
        ("speaker", pa.string()),
        ("speaker_start", pa.int32()),
        ("speaker_end", pa.int32()),
        ("entity_id", pa.string()),
        ("name", pa.string()),
        ("cue", pa.string()),
        ("cue_start", pa.int32()),
        ("cue_end", pa.int32()),
    ]
)
ENRICHED_TABLES = {
    "articles": ARTICLES,
    "mentions": MENTIONS,
    "entities": ENTITIES,
    "times": TIMES,
    "events": EVENTS,
    "quotes": QUOTES,
}
