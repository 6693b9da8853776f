"""What the delivery figures are taken with: enriched articles of 12 kB, small records, and a fast way into Kafka."""

import random
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
from kafka import KafkaProducer

from benchmarks.steps import raw_articles
from pipeline import codec, flow
from pipeline.adapters.onnx import OnnxModel
from pipeline.enrich import read_article
from pipeline.events import Article, EnrichedArticle, Event, RawArticle
from pipeline.identity import article_id
from pipeline.normalise import clean
from pipeline.ports import Message

_MODEL = Path(__file__).parent.parent / "models" / "fr-news-small"
_TEXT = "Le ministre numéro {n} a rencontré mardi à Paris les élus de la région, selon un communiqué."
_LEAST_BYTES = 7_000
"""Of the samples, those whose event has as much or more: 12 kB on average."""


@cache
def _samples() -> tuple[EnrichedArticle, ...]:
    now = datetime.now(UTC)
    model = OnnxModel(_MODEL)
    articles = [article for raw in raw_articles(1) if isinstance(article := clean(raw, now), Article)]
    read = [
        enriched for a in articles if isinstance(enriched := read_article(a, model=model, now=now), EnrichedArticle)
    ]
    return tuple(enriched for enriched in read if len(msgspec.json.encode(enriched)) >= _LEAST_BYTES)


def enriched(count: int) -> Iterator[Message]:
    """Yield enriched articles as the enrich step writes them: the samples, each time with another id, and the words
    of the text in another order, so that nothing compresses because it was there before."""
    chance = random.Random(1)
    now = datetime.now(UTC)
    for n in range(count):
        sample = _samples()[n % len(_samples())]
        words = sample.article.text.split(" ")
        chance.shuffle(words)
        own = article_id(source="bench", own_id=str(n))
        article = msgspec.structs.replace(sample.article, article_id=own, text=" ".join(words))
        data = msgspec.structs.replace(sample, article=article, processed_at=now)
        wire = codec.encode(Event(codec.envelope(data, time=now, cause=None), data))
        yield Message(flow.ENRICHED, wire.key, wire.headers, wire.value)


def fetched(first: int, count: int) -> Iterator[Message]:
    """Yield short French articles as fetch writes them."""
    for n in range(first, first + count):
        now = datetime.now(UTC)
        raw = RawArticle(
            article_id=article_id(source="bench", own_id=str(n)),
            source="bench",
            url=None,
            position=f"bench:{n}",
            body=_TEXT.format(n=n).encode(),
            media_type="text/plain",
            fetched_at=now,
        )
        wire = codec.encode(Event(codec.envelope(raw, time=now, cause=None), raw))
        yield Message(flow.FETCHED, wire.key, wire.headers, wire.value)


def small(count: int) -> Iterator[Message]:
    """Yield records of some 200 bytes."""
    chance = random.Random(count)
    for n in range(count):
        yield Message(flow.FETCHED, b"%d" % n, (), chance.randbytes(100).hex().encode())


def publish(bootstrap: str, messages: Iterable[Message]) -> tuple[int, int]:
    """Write without transactions, as fast as it goes; return how many records and bytes of values."""
    producer = _producer(bootstrap)
    count = size = 0
    for m in messages:
        producer.send(m.topic, value=m.value, key=m.key, headers=list(m.headers))
        count, size = count + 1, size + len(m.value)
        if count % 2_000 == 0:
            producer.flush()  # kafka-python does not bound what is in flight
    producer.flush()
    producer.close()
    return count, size


def trickle(bootstrap: str, every_s: float, at_once: int) -> None:
    """Write short articles, `at_once` every `every_s` seconds, until the process is ended."""
    producer = _producer(bootstrap)
    n, due = 0, time.monotonic()
    while True:
        for m in fetched(n, at_once):
            producer.send(m.topic, value=m.value, key=m.key, headers=list(m.headers))
        n, due = n + at_once, due + every_s
        time.sleep(max(0.0, due - time.monotonic()))


def _producer(bootstrap: str) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=bootstrap, linger_ms=20, batch_size=2**18, compression_type="zstd", max_request_size=2**24
    )


if __name__ == "__main__":
    kind, address, *numbers = sys.argv[1:]
    if kind == "small":
        publish(address, small(int(numbers[0])))
    else:
        trickle(address, float(numbers[0]), int(numbers[1]))
