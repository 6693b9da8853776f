"""The facts that flow through the log: frozen, typed, and described by `schemas/`.

Offsets are code points into the NFC `text`, end exclusive. Times are timezone-aware. What is not known
is null or empty, never guessed. A released schema is only added to; a breaking change is a new version
in `schemas/` and an upcaster in `codec.py`.

What an article holds by the dozen is hidden from the garbage collector (`gc=False`): it can be part of no cycle.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct, field

Instant = Annotated[datetime, Meta(tz=True)]
Precision = Literal["instant", "day", "month"]
SentenceKind = Literal["body", "heading", "caption", "dateline", "quote"]
Granularity = Literal["instant", "hour", "day", "week", "month", "season", "quarter", "year", "decade", "range"]


class RawArticle(Struct, frozen=True, kw_only=True):
    """An article as its source gave it: the bytes untouched, and what the source said about them."""

    article_id: str
    source: str
    url: str | None
    position: str
    """Where in the source it was found: a file and line, or an address."""
    body: bytes
    media_type: str
    charset: str | None = None
    title: str | None = None
    authors: tuple[str, ...] = ()
    published_at: Instant | None = None
    published_precision: Precision | None = None
    fetched_at: Instant


class Withdrawn(Struct, frozen=True, kw_only=True):
    """The publisher took the article back; every projection drops its content."""

    article_id: str
    revision: int
    source: str
    url: str | None
    reason: str
    fetched_at: Instant


class Sentence(Struct, frozen=True, kw_only=True, gc=False):
    start: int
    end: int
    kind: SentenceKind


class Article(Struct, frozen=True, kw_only=True):
    """A clean French article, cut into sentences."""

    article_id: str
    revision: int
    source: str
    url: str | None
    title: str | None
    authors: tuple[str, ...]
    published_at: Instant | None
    published_precision: Precision | None
    fetched_at: Instant
    language: str
    content_hash: str
    text: str
    sentences: tuple[Sentence, ...]
    notes: tuple[str, ...] = ()
    """What had to be mended or left out, e.g. a publication date in the future."""


class Evidence(Struct, frozen=True, kw_only=True, gc=False):
    """A piece of the article's text: `text == article.text[start:end]`."""

    start: int
    end: int
    text: str


class Mention(Struct, frozen=True, kw_only=True, gc=False):
    start: int
    end: int
    text: str
    type: str
    entity_id: str | None
    confidence: float


class Entity(Struct, frozen=True, kw_only=True, gc=False):
    """Who or what the mentions of one article refer to; one id per referent within the article."""

    entity_id: str
    type: str
    name: str
    country: str | None = None
    sectors: tuple[str, ...] = ()
    geonames_id: int | None = None
    lat: float | None = None
    lon: float | None = None


class DateRange(Struct, frozen=True, kw_only=True, gc=False):
    """A half-open interval of local calendar time, ISO 8601: `from` included, `to` excluded."""

    from_: str = field(name="from")
    to: str
    granularity: Granularity


class TimeExpression(Struct, frozen=True, kw_only=True, gc=False):
    start: int
    end: int
    text: str
    from_: str = field(name="from")
    to: str
    granularity: Granularity


class Participant(Struct, frozen=True, kw_only=True, gc=False):
    start: int
    end: int
    text: str
    entity_id: str | None = None
    name: str | None = None
    country: str | None = None
    sectors: tuple[str, ...] = ()


class Place(Struct, frozen=True, kw_only=True, gc=False):
    start: int
    end: int
    text: str
    name: str | None = None
    geonames_id: int | None = None
    lat: float | None = None
    lon: float | None = None
    country: str | None = None


class NewsEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One PLOVER 2.0 event with the sentence and spans that prove it."""

    event_id: str
    type: str
    mode: str | None
    contexts: tuple[str, ...]
    status: Literal["asserted", "future", "hypothetical", "negated", "historical"]
    confidence: float
    quad_class: int
    plover_score: float
    cameo_root: str | None
    goldstein: float | None
    sentence: Evidence
    trigger: Evidence
    actors: tuple[Participant, ...] = ()
    recipients: tuple[Participant, ...] = ()
    place: Place | None = None
    date: DateRange | None = None
    inferred: tuple[str, ...] = ()
    """What the sentence does not say itself and the article does: `date`, `place`, `actors.country` …"""
    same_as: str | None = None
    """The article's first telling of the event, where this is a later one."""


class Quote(Struct, frozen=True, kw_only=True, gc=False):
    """Words in quotation marks, and who said them where the text tells: name or pronoun, and the words of saying."""

    start: int
    end: int
    text: str
    speaker: Evidence | None = None
    entity_id: str | None = None
    name: str | None = None
    cue: Evidence | None = None


class ModelStamp(Struct, frozen=True, kw_only=True):
    """Which model read the article."""

    name: str
    version: str
    sha256: str


class EnrichedArticle(Struct, frozen=True, kw_only=True):
    """An article with everything that was read out of it."""

    article: Article
    mentions: tuple[Mention, ...]
    entities: tuple[Entity, ...]
    times: tuple[TimeExpression, ...]
    events: tuple[NewsEvent, ...]
    model: ModelStamp
    processed_at: Instant
    quotes: tuple[Quote, ...] = ()


class Rejected(Struct, frozen=True, kw_only=True):
    """An input that was turned down: why, where it stood, and its original bytes."""

    reason: str
    detail: str
    stage: Literal["fetch", "normalise", "enrich", "archive"]
    source: str | None
    article_id: str | None
    position: str
    """Where the input stood: `topic[partition]@offset`, or the source's own position."""
    original: bytes
    original_headers: Mapping[str, str]
    original_size: int
    """Bytes of the whole input; more than `len(original)` when it was cut at the size limit."""
    traceback: str | None = None
    rejected_at: Instant


class ArticleState(Struct, frozen=True, kw_only=True):
    """What normalise remembers of an article: enough to tell new, revised and unchanged apart."""

    article_id: str
    content_hash: str
    revision: int
    inputs: int
    """Committed inputs that carried this article, of which `unchanged` had nothing new to say."""
    unchanged: int
    withdrawn: bool
    updated_at: Instant


class SourceState(Struct, frozen=True, kw_only=True):
    """What fetch remembers of a source between two pulls."""

    source: str
    cursor: Mapping[str, str]
    """The source kind's own notes, e.g. ETag, Last-Modified, hash of each item seen."""
    fetched_at: Instant
    """The last pull that ended well, or the last try when there was none."""
    error: str | None = None
    """Why the last pull failed; null when it ended well."""
    succeeded_at: Instant | None = None


Payload = RawArticle | Withdrawn | Article | EnrichedArticle | Rejected | ArticleState | SourceState


class Envelope(NamedTuple):
    """CloudEvents 1.0 attributes of one event, and our extensions."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    version: int
    correlationid: str
    causationid: str | None
    pipelineversion: str
    traceparent: str


class Event(NamedTuple):
    """An event as it travels: what it says, in its envelope."""

    envelope: Envelope
    data: Payload
