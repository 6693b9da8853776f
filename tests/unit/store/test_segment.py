"""What a segment holds: the same rows as the simplest code makes, and every record that cannot be one."""

import hashlib
import io
import json
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import codec
from pipeline.adapters.onnx import OnnxModel
from pipeline.enrich import read_article
from pipeline.events import Article, EnrichedArticle, Event, Payload, RawArticle, Withdrawn
from pipeline.manifest import read_manifest
from pipeline.normalise import clean
from pipeline.ports import Record
from pipeline.store import Segment, segment
from pipeline.store.tables import ENRICHED_TABLES
from tests.fixtures.events import enriched_articles
from tests.fixtures.seeds import SEEDS
from tests.unit.store.reference import tables as simply

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
TOPIC = "news.article.enriched"


def record(payload: Payload, offset: int) -> Record:
    wire = codec.encode(Event(codec.envelope(payload, time=NOW, cause=None), payload))
    return Record(TOPIC, 0, offset, NOW, wire.key, wire.headers, wire.value)


def numbered(payloads: Iterable[Payload]) -> list[Record]:
    return [record(payload, 2 * n) for n, payload in enumerate(payloads)]


def cut(records: list[Record]) -> Segment:
    return segment(records, start=0, end=records[-1].offset + 1, now=NOW, unique="u")


def tables(records: list[Record]) -> Mapping[str, pa.Table]:
    made = cut(records)
    data = {file.key: file.data for file in made.files}
    named = read_manifest(made.manifest).tables
    for file in named.values():
        assert file.sha256 == hashlib.sha256(data[file.key]).hexdigest()
        assert file.bytes == len(data[file.key])
    return {name: pq.read_table(io.BytesIO(data[file.key])) for name, file in named.items()}


def assert_as_simple_code_does(records: list[Record]) -> None:
    made, wanted = tables(records), simply(records)
    assert made.keys() == wanted.keys()
    for name, table in wanted.items():
        assert made[name].schema.equals(table.schema), name
        assert made[name].to_pylist() == table.to_pylist(), name


@cache
def samples() -> tuple[EnrichedArticle, ...]:
    """Return the sample texts as the shipped model reads them."""
    model = OnnxModel(SEEDS.parent / "models" / "fr-news-small")
    out = []
    for path in sorted((SEEDS / "articles").glob("*.txt"))[:8]:
        raw = RawArticle(
            article_id=path.stem,
            source="seeds",
            url=None,
            position=path.name,
            body=path.read_bytes(),
            media_type="text/plain",
            fetched_at=NOW,
        )
        article = clean(raw, NOW)
        assert isinstance(article, Article)
        enriched = read_article(article, model=model, now=NOW)
        assert isinstance(enriched, EnrichedArticle)
        out.append(enriched)
    return tuple(out)


def named(enriched: EnrichedArticle, article_id: str) -> EnrichedArticle:
    """Return the article under a name that a header can carry."""
    article = msgspec.structs.replace(enriched.article, article_id=article_id)
    return msgspec.structs.replace(enriched, article=article)


def gone(n: int = 1) -> Withdrawn:
    return Withdrawn(article_id=f"w-{n}", revision=2, source="s", url=None, reason="retraction", fetched_at=NOW)


def test_the_samples_become_the_rows_the_simplest_code_makes() -> None:
    records = numbered([*samples(), gone(), *samples()])
    assert_as_simple_code_does(records)
    assert all(tables(records)[name].num_rows for name in ENRICHED_TABLES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(enriched_articles().map(lambda e: named(e, "a-1")), min_size=1, max_size=4))
def test_any_articles_become_the_rows_the_simplest_code_makes(articles: list[EnrichedArticle]) -> None:
    assert_as_simple_code_does(numbered(articles))


@pytest.mark.parametrize("seed", range(40))
def test_damaged_records_are_kept_as_the_simplest_code_keeps_them(seed: int) -> None:
    chance = random.Random(seed)
    records = [_damaged(each, chance) for each in numbered(samples())]
    assert_as_simple_code_does(records)


def _damaged(whole: Record, chance: random.Random) -> Record:
    value = bytearray(whole.value)
    for _ in range(chance.choice((0, 1, 3))):
        value[chance.randrange(len(value))] = chance.randrange(256)
    length = chance.choice((len(value), chance.randrange(len(value))))
    return whole._replace(value=bytes(value[:length]))


def test_more_records_than_are_decoded_at_once_come_out_whole_and_in_order() -> None:
    records = numbered(list(samples()) * 80)
    found = tables(records)
    assert found["articles"]["log_offset"].to_pylist() == [r.offset for r in records]
    assert found["mentions"].num_rows == 80 * sum(len(e.mentions) for e in samples())


@pytest.mark.parametrize(
    "broken",
    [
        {"revision": 2**40},
        {"sentences": [{"start": 2**40, "end": 1, "kind": "body"}]},
        {"revision": 10**30},
        {"text": "\ud800"},
        {"title": 7},
        {"fetched_at": "2026-11-27"},
    ],
    ids=str,
)
def test_a_record_that_no_column_takes_is_kept_and_the_others_are_rows(broken: dict[str, Any]) -> None:
    good = numbered([*samples(), gone()])
    body = json.loads(good[3].value)
    body["article"] |= broken
    bad = good[3]._replace(value=json.dumps(body).encode())
    found = tables([*good[:3], bad, *good[4:]])
    assert found["undecodable"]["log_offset"].to_pylist() == [bad.offset]
    assert found["undecodable"]["value"].to_pylist() == [bad.value]
    assert found["articles"]["log_offset"].to_pylist() == [r.offset for r in good if r is not good[3]]


def test_a_segment_of_nothing_but_damage_has_every_table_all_the_same() -> None:
    (whole,) = numbered([gone()])
    found = tables([whole._replace(value=b"{"), whole._replace(headers=(), offset=1)])
    assert found["undecodable"]["reason"].to_pylist() == ["undecodable", "undecodable"]
    assert {name: found[name].num_rows for name in ENRICHED_TABLES} == dict.fromkeys(ENRICHED_TABLES, 0)
