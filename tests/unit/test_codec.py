"""Events survive the wire, old ones are lifted, and what is broken or unknown is refused, never guessed at."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import codec
from pipeline.errors import Flaw
from pipeline.events import Article, ArticleState, EnrichedArticle, Event, Payload, RawArticle, Withdrawn
from tests.fixtures.events import strategies

EXAMPLES = Path(__file__).parent / "examples"
NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)

STRATEGIES = strategies()


def test_every_kind_of_event_is_tried() -> None:
    assert {kind.cls for kind in codec.EVENT_TYPES} == set(STRATEGIES)


@pytest.mark.parametrize("kind", STRATEGIES, ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_event_comes_back_from_the_wire_as_it_was(kind: type[Any], data: st.DataObject) -> None:
    payload = data.draw(STRATEGIES[kind].filter(_has_subject))
    event = Event(codec.envelope(payload, time=NOW, cause=None), payload)
    assert codec.decode(codec.encode(event)) == event


def _has_subject(payload: Payload) -> bool:
    kind = next(kind for kind in codec.EVENT_TYPES if kind.cls is type(payload))
    # CloudEvents wants a subject that is not empty, and header values that are text.
    return bool(kind.subject(payload).strip()) and kind.subject(payload).isprintable()


def raw(**changes: Any) -> RawArticle:
    whole: dict[str, Any] = {
        "article_id": "a-1",
        "source": "s",
        "url": None,
        "position": "f:1",
        "body": b"\xff\x00",
        "media_type": "text/plain",
        "fetched_at": NOW,
    }
    return RawArticle(**whole | changes)


def wire(payload: Payload | None = None) -> codec.Wire:
    payload = payload or raw()
    return codec.encode(Event(codec.envelope(payload, time=NOW, cause=None), payload))


def with_header(sent: codec.Wire, name: str, value: bytes | None) -> codec.Wire:
    headers = tuple((n, value if n == name else v) for n, v in sent.headers if n != name or value is not None)
    return sent._replace(headers=headers)  # type: ignore[arg-type]


def test_the_envelope_is_cloudevents_in_kafkas_binary_mode() -> None:
    heads = dict(wire().headers)
    assert heads["ce_specversion"] == b"1.0"
    assert heads["ce_type"] == b"news.article.fetched"
    assert heads["content-type"] == b"application/json"
    assert heads["ce_subject"] == b"a-1" == wire().key
    assert {"ce_id", "ce_source", "ce_time", "ce_correlationid", "ce_pipelineversion", "ce_traceparent"} <= set(heads)


def test_a_stored_event_of_version_1_is_lifted_to_version_2() -> None:
    stored = json.loads((EXAMPLES / "fetched-v1.json").read_text())
    headers = tuple((name, value.encode()) for name, value in stored["headers"].items())
    event = codec.decode(codec.Wire(b"", headers, json.dumps(stored["body"]).encode()))
    assert isinstance(event, Event)
    assert isinstance(event.data, RawArticle)
    assert event.data.authors == ("Awa Diallo",)
    assert event.data.body == "Bonjour à tous".encode()
    assert event.envelope.version == 2


@pytest.mark.parametrize(("stored_as", "quotes", "inferred"), [("v1", 0, ()), ("v2", 1, ("recipients.country",))])
def test_a_stored_enriched_article_is_lifted_to_version_3(stored_as: str, quotes: int, inferred: tuple[str]) -> None:
    stored = json.loads((EXAMPLES / f"enriched-{stored_as}.json").read_text())
    headers = tuple((name, value.encode()) for name, value in stored["headers"].items())
    event = codec.decode(codec.Wire(b"", headers, json.dumps(stored["body"]).encode()))
    assert isinstance(event, Event)
    assert isinstance(event.data, EnrichedArticle)
    assert len(event.data.quotes) == quotes
    assert [(e.type, e.inferred, e.same_as) for e in event.data.events] == [("ACCUSE", inferred, None)]
    assert event.envelope.version == 3


def test_every_older_version_has_its_upcaster_and_its_schema() -> None:
    for kind in codec.EVENT_TYPES:
        for version in range(1, kind.version + 1):
            assert (codec.schema_folder() / kind.name / f"v{version}.json").is_file()
            assert version == kind.version or (kind.name, version) in codec.UPCASTERS


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ce_type", b"news.article.invented", "unknown_type"),
        ("ce_dataschema", b"urn:depeche:schema:news.article.fetched:99", "unknown_version"),
        ("ce_dataschema", b"urn:depeche:schema:news.article.fetched:0", "unknown_version"),
        ("ce_dataschema", b"urn:depeche:schema:news.article.enriched:1", "unknown_version"),
        ("ce_dataschema", None, "unknown_version"),
        ("ce_id", None, "undecodable"),
        ("ce_time", b"yesterday", "undecodable"),
        ("ce_time", b"2026-11-27T03:00:00", "undecodable"),
        ("ce_source", b"\xff\xfe", "undecodable"),
    ],
)
def test_a_broken_envelope_is_refused_with_its_reason(name: str, value: bytes | None, reason: str) -> None:
    found = codec.decode(with_header(wire(), name, value))
    assert isinstance(found, Flaw)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "undecodable"),
        (b"{", "undecodable"),
        (b"\xff\xfe\x00", "undecodable"),
        (b"[]", "wrong_schema"),
        (b"{}", "wrong_schema"),
        (b"null", "wrong_schema"),
    ],
)
def test_a_broken_body_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    found = codec.decode(wire()._replace(value=body))
    assert isinstance(found, Flaw)
    assert found.reason == reason


def test_a_naive_time_in_a_body_is_refused() -> None:
    body = json.loads(wire().value) | {"fetched_at": "2026-11-27T03:00:00"}
    found = codec.decode(wire()._replace(value=json.dumps(body).encode()))
    assert isinstance(found, Flaw)
    assert found.reason == "wrong_schema"


def test_a_field_that_a_later_version_added_is_no_reason_to_refuse() -> None:
    body = json.loads(wire().value) | {"added_later": 1}
    assert isinstance(codec.decode(wire()._replace(value=json.dumps(body).encode())), Event)


@given(st.binary(max_size=60), st.dictionaries(st.text(max_size=8), st.binary(max_size=8), max_size=4))
def test_no_bytes_make_reading_fail(body: bytes, headers: dict[str, bytes]) -> None:
    assert isinstance(codec.decode(codec.Wire(b"", tuple(headers.items()), body)), Flaw)


def state() -> ArticleState:
    return ArticleState(
        article_id="a", content_hash="h", revision=1, inputs=1, unchanged=0, withdrawn=False, updated_at=NOW
    )


def test_the_same_fact_has_the_same_id_and_another_version_of_the_code_another() -> None:
    first = codec.envelope(state(), time=NOW, cause=None)
    assert first.id == codec.envelope(state(), time=datetime(2027, 1, 1, tzinfo=UTC), cause=None).id
    assert first.id != codec.envelope(state(), time=NOW, cause=None, version="9.9").id


def test_two_pulls_of_one_page_are_two_facts() -> None:
    later = raw(fetched_at=datetime(2026, 11, 28, tzinfo=UTC))
    assert codec.envelope(raw(), time=NOW, cause=None).id != codec.envelope(later, time=NOW, cause=None).id


def test_an_article_that_returns_to_an_earlier_text_has_a_new_id() -> None:
    base = dict.fromkeys(("url", "title", "published_at", "published_precision"))
    made = [
        Article(
            **base,
            article_id="a",
            revision=revision,
            source="s",
            authors=(),
            fetched_at=NOW,
            language="fr",
            content_hash="same",
            text="t",
            sentences=(),
        )
        for revision in (1, 3)
    ]
    assert len({codec.envelope(a, time=NOW, cause=None).id for a in made}) == 2


def test_a_released_schema_is_never_edited() -> None:
    kept = dict(line.split()[::-1] for line in (EXAMPLES / "schemas.sha256").read_text().splitlines())
    folder = codec.schema_folder()
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.json")
    }
    assert found == kept, "add a new version instead, with its upcaster and a stored old example"


def test_every_schema_is_a_valid_schema_and_names_itself() -> None:
    for kind in codec.EVENT_TYPES:
        schema = json.loads((codec.schema_folder() / kind.name / f"v{kind.version}.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"urn:depeche:schema:{kind.name}:{kind.version}"
        assert schema["properties"].keys() == {f.encode_name for f in msgspec.structs.fields(kind.cls)}


def test_a_withdrawal_has_an_id_of_its_own_each_time_and_at_each_step() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    first = Withdrawn(article_id="a", revision=0, source="s", url=None, reason="gone", fetched_at=at)
    second = msgspec.structs.replace(first, fetched_at=at + timedelta(days=1))
    fetched = codec.envelope(first, time=at, cause=None)
    assert codec.envelope(second, time=at, cause=None).id != fetched.id
    normalised = codec.envelope(msgspec.structs.replace(first, revision=2), time=at, cause=fetched)
    enriched = codec.envelope(msgspec.structs.replace(first, revision=2), time=at, cause=normalised)
    assert len({fetched.id, normalised.id, enriched.id}) == 3
    assert enriched.causationid == normalised.id
    assert enriched == codec.envelope(msgspec.structs.replace(first, revision=2), time=at, cause=normalised)


@pytest.mark.parametrize("kind", codec.EVENT_TYPES, ids=lambda kind: kind.name)
def test_the_newest_schema_says_what_the_class_says(kind: codec.EventType) -> None:
    written = json.loads((codec.schema_folder() / kind.name / f"v{kind.version}.json").read_text())
    own = json.loads(msgspec.json.encode(msgspec.json.schema(kind.cls, ref_template="#/$defs/{name}")))
    says = own["$defs"].pop(kind.cls.__name__)
    assert {name: written[name] for name in ("type", "properties", "required")} == {
        name: says[name] for name in ("type", "properties", "required")
    }
    assert written.get("$defs", {}) == own["$defs"]


@pytest.mark.parametrize("text", [b"\\ud800", b"\xff", b"\\u12"])
def test_a_text_that_cannot_be_written_as_unicode_is_refused(text: bytes) -> None:
    found = codec.decode(wire()._replace(value=wire().value.replace(b"text/plain", text)))
    assert isinstance(found, Flaw)
    assert found.reason == "undecodable"


def test_a_number_that_is_none_is_refused() -> None:
    event = Event(codec.envelope(state(), time=NOW, cause=None), state())
    sent = codec.encode(event)
    found = codec.decode(sent._replace(value=sent.value.replace(b'"revision":1', b'"revision":NaN')))
    assert isinstance(found, Flaw)
    assert found.reason in {"undecodable", "wrong_schema"}
