"""Event ⇄ (key, headers, bytes): CloudEvents 1.0 in Kafka's binary mode, validated on both ways.

Reading is tolerant of fields a later version added, of a time with a blank in place of its `T`, and of nothing
else: a body that its schema does not allow, an unknown type or an unknown version is a `Flaw`, never a guess. A
body of an older version is lifted to the newest by the upcasters of its type, one version at a time.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import jsonschema_rs
import msgspec
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from pipeline import __version__
from pipeline.errors import Flaw
from pipeline.events import (
    Article,
    ArticleState,
    EnrichedArticle,
    Envelope,
    Event,
    Payload,
    RawArticle,
    Rejected,
    SourceState,
    Withdrawn,
)
from pipeline.identity import event_id

_SCHEMA_URN = "urn:depeche:schema:"
_Json = dict[str, Any]


class EventType(NamedTuple):
    """One row of the registry: a type's name, newest version, class, and what tells two of its events apart."""

    name: str
    version: int
    cls: type[Payload]
    subject: Callable[[Any], str]
    identity: Callable[[Any], tuple[str, ...]]


def _fetched_identity(raw: RawArticle) -> tuple[str, ...]:
    # Two pulls are two facts, even when the page has not changed: the instant is part of the id.
    return raw.article_id, raw.position, raw.fetched_at.isoformat()


EVENT_TYPES = (
    EventType("news.article.fetched", 2, RawArticle, lambda e: e.article_id, _fetched_identity),
    EventType(
        "news.article.withdrawn",
        1,
        Withdrawn,
        lambda e: e.article_id,
        # A publisher may withdraw an article twice: the instant tells the fetched ones apart, which have no revision.
        lambda e: (e.article_id, str(e.revision), e.fetched_at.isoformat()),
    ),
    EventType(
        "news.article.normalised",
        1,
        Article,
        lambda e: e.article_id,
        lambda e: (e.article_id, str(e.revision), e.content_hash),
    ),
    EventType(
        "news.article.enriched",
        3,
        EnrichedArticle,
        lambda e: e.article.article_id,
        lambda e: (e.article.article_id, str(e.article.revision), e.article.content_hash, e.model.sha256),
    ),
    EventType(
        "news.article.rejected",
        1,
        Rejected,
        lambda e: e.article_id or e.position,
        lambda e: (e.stage, e.position, e.reason, e.rejected_at.isoformat() if e.stage == "fetch" else ""),
    ),
    EventType(
        "news.article.state",
        1,
        ArticleState,
        lambda e: e.article_id,
        lambda e: (e.article_id, str(e.revision), str(e.inputs)),
    ),
    EventType("news.source.state", 1, SourceState, lambda e: e.source, lambda e: (e.source, e.fetched_at.isoformat())),
)


def _fetched_2_from_1(body: _Json) -> _Json:
    """Version 1 knew one author, as a string; version 2 knows several."""
    author = body.pop("author", None)
    return body | {"authors": [author] if author else []}


def _enriched_2_from_1(body: _Json) -> _Json:
    """Version 1 had no quotations, and no country that the article tells and the sentence does not."""
    return body | {"quotes": [], "events": [event | {"inferred": []} for event in body["events"]]}


def _enriched_3_from_2(body: _Json) -> _Json:
    """Version 2 did not say which events are one, told again."""
    return body | {"events": [event | {"same_as": None} for event in body["events"]]}


UPCASTERS: Mapping[tuple[str, int], Callable[[_Json], _Json]] = {
    ("news.article.fetched", 1): _fetched_2_from_1,
    ("news.article.enriched", 1): _enriched_2_from_1,
    ("news.article.enriched", 2): _enriched_3_from_2,
}
"""(type, version) → what lifts a body of that version to the next."""


class Wire(NamedTuple):
    """An event ready for the log."""

    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


class _HasHeaders(Protocol):
    @property
    def key(self) -> bytes: ...
    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]: ...
    @property
    def value(self) -> bytes: ...


class _BytesFormat(JSONFormat):
    """Leave the body as it is: msgspec reads and writes it, once."""

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:  # noqa: ARG002 - the SDK's signature
        return bytes(data)

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:  # noqa: ARG002
        return body


_FORMAT = _BytesFormat()
_ENCODER = msgspec.json.Encoder()
_BY_CLASS = {kind.cls: kind for kind in EVENT_TYPES}
_BY_NAME = {kind.name: kind for kind in EVENT_TYPES}
_DECODERS: Mapping[str, msgspec.json.Decoder[Payload]] = {
    kind.name: msgspec.json.Decoder(kind.cls) for kind in EVENT_TYPES
}


def schema_folder() -> Path:
    """Return where the schemas lie: inside an installed package, or beside it in a checkout."""
    installed = Path(str(resources.files("pipeline"))) / "_schemas"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "schemas"


@cache
def _validator(name: str, version: int) -> Any:
    path = schema_folder() / name / f"v{version}.json"
    return jsonschema_rs.validator_for(json.loads(path.read_text(encoding="utf-8")), validate_formats=True)


def _traceparent(correlation: str, span: str) -> str:
    """Return a W3C trace context: the trace is the article's way through the line, the span is this event."""
    return f"00-{UUID(correlation).hex}-{UUID(span).hex[:16]}-01"


def envelope(data: Payload, *, time: datetime, cause: Envelope | None, version: str = __version__) -> Envelope:
    """Return the envelope of a new event caused by `cause` (None for the first of its line)."""
    kind = _BY_CLASS[type(data)]
    own = event_id(kind.name, *kind.identity(data), version)
    if cause is not None and own == cause.id:
        own = event_id(kind.name, own)  # what a step passes on as it was is a fact of its own
    correlation = cause.correlationid if cause else own
    return Envelope(
        id=own,
        type=kind.name,
        source="/depeche",
        subject=kind.subject(data),
        time=time,
        version=kind.version,
        correlationid=correlation,
        causationid=cause.id if cause else None,
        pipelineversion=version,
        traceparent=_traceparent(correlation, own),
    )


def encode(event: Event) -> Wire:
    """Return the event as key, headers and body. Raises ValueError if its own schema forbids the body."""
    e = event.envelope
    body = _ENCODER.encode(event.data)
    _validator(e.type, e.version).validate(json.loads(body))
    attributes: _Json = {
        "specversion": "1.0",
        "id": e.id,
        "type": e.type,
        "source": e.source,
        "subject": e.subject,
        "time": e.time,
        "datacontenttype": "application/json",
        "dataschema": f"{_SCHEMA_URN}{e.type}:{e.version}",
        "correlationid": e.correlationid,
        "pipelineversion": e.pipelineversion,
        "traceparent": e.traceparent,
    }
    if e.causationid is not None:
        attributes["causationid"] = e.causationid
    message = to_binary(CloudEvent(attributes, body), _FORMAT, lambda _: e.subject.encode())
    return Wire(e.subject.encode(), tuple(message.headers.items()), body)


def decode(record: _HasHeaders) -> Event | Flaw:
    """Return the event, its body lifted to the newest version of its type, or why it cannot be read."""
    # The SDK would make up an id or a time that is missing.
    if missing := {"ce_id", "ce_time"} - {name for name, _ in record.headers}:
        return Flaw("undecodable", f"the headers hold no {' and no '.join(sorted(missing))}")
    try:
        cloud = from_binary(KafkaMessage(dict(record.headers), None, record.value), _FORMAT, CloudEvent)
    except (CloudEventValidationError, UnicodeDecodeError, ValueError) as error:
        return Flaw("undecodable", f"the headers are no CloudEvents 1.0 envelope: {error}")
    head = _envelope_of(cloud)
    if isinstance(head, Flaw):
        return head
    data = _payload(head, record.value)
    if isinstance(data, Flaw):
        return data
    return Event(head._replace(version=_BY_NAME[head.type].version), data)


def _payload(head: Envelope, body: bytes) -> Payload | Flaw:
    """Return what the body says, in the newest version of its type.

    A class says what its newest schema says (a test holds the two together), so a body of that version is parsed
    once, into the class. The schema is asked about older ones, and about what is wrong.
    """
    decoder = _DECODERS[head.type]
    if head.version == _BY_NAME[head.type].version:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    lifted = _lifted(head, body)
    if isinstance(lifted, Flaw):
        return lifted
    try:
        return decoder.decode(lifted)
    except msgspec.ValidationError as error:
        return Flaw("wrong_schema", f"{head.type} v{head.version}: {error}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Flaw("undecodable", f"the body is no JSON: {error}")


def _envelope_of(cloud: BaseCloudEvent) -> Envelope | Flaw:
    kind = _BY_NAME.get(cloud.get_type())
    if kind is None:
        return Flaw("unknown_type", f"no event type is called {cloud.get_type()!r}")
    prefix, _, number = (cloud.get_dataschema() or "").rpartition(":")
    if prefix != f"{_SCHEMA_URN}{kind.name}" or not number.isdecimal() or not 1 <= int(number) <= kind.version:
        return Flaw("unknown_version", f"{kind.name} has no schema {cloud.get_dataschema()!r}")
    time = cloud.get_time()
    if time is None or time.tzinfo is None:
        return Flaw("undecodable", "the envelope has no time with a time zone")
    return Envelope(
        id=cloud.get_id(),
        type=kind.name,
        source=cloud.get_source(),
        subject=cloud.get_subject() or "",
        time=time,
        version=int(number),
        correlationid=cloud.get_extension("correlationid") or cloud.get_id(),
        causationid=cloud.get_extension("causationid"),
        pipelineversion=cloud.get_extension("pipelineversion") or "",
        traceparent=cloud.get_extension("traceparent") or "",
    )


def _lifted(head: Envelope, body: bytes) -> bytes | Flaw:
    """Return the body validated by the schema of its own version and lifted to the newest."""
    try:
        parsed = json.loads(body)
        _validator(head.type, head.version).validate(parsed)
    except jsonschema_rs.ValidationError as error:
        return Flaw("wrong_schema", f"{head.type} v{head.version}: {error.message[:500]}")
    except (UnicodeDecodeError, ValueError) as error:
        return Flaw("undecodable", f"the body is no JSON: {error}")
    newest = _BY_NAME[head.type].version
    if head.version == newest:
        return body
    for version in range(head.version, newest):
        parsed = UPCASTERS[head.type, version](parsed)
    return _ENCODER.encode(parsed)
