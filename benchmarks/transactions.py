"""What transactions cost: the same worker, once with a Kafka transaction for each batch and once at least once.

The worker is the real `Transform` in the real loop, its function a trivial one. At least once is a plain
idempotent producer, flushed, and the group's positions committed after: the usual way without a promise.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kafka import KafkaProducer

from benchmarks import inputs
from benchmarks.stage import Stage
from pipeline import flow
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka import KafkaBrowser, KafkaLog
from pipeline.events import Article, Event, RawArticle
from pipeline.outcome import Emitted, Outcome
from pipeline.ports import Message, Partition
from pipeline.transform import Transform
from pipeline.worker import run

_RECORDS = 20_000
_ROUNDS = 3


class Cost(NamedTuple):
    """Records a second, the median of the rounds, which alternate."""

    batch: int
    transactional: float
    at_least_once: float

    @property
    def share(self) -> float:
        """What transactions take away, from 0 to 1."""
        return 1 - self.transactional / self.at_least_once


class AtLeastOnceLog(KafkaLog):
    """Writes, waits until it is written, then commits the positions; a crash between the two doubles the batch."""

    def __init__(self, bootstrap: str, **more: Any) -> None:
        super().__init__(bootstrap, **more | {"transactional": False})
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, compression_type="zstd")

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        """See `EventLog.commit`, less its promise."""
        sent = [self._producer.send(m.topic, value=m.value, key=m.key, headers=list(m.headers)) for m in messages]
        self._producer.flush()
        for future in sent:
            future.get(timeout=0)
        super().commit([], positions)

    def close(self) -> None:
        """See `EventLog.close`."""
        self._producer.close()
        super().close()


def measure(stage: Stage, records: int = _RECORDS) -> Cost:
    """Let each kind of worker read the same records, in turn, three times."""
    batch = stage.settings.batch_records
    bootstrap = stage.settings.kafka_bootstrap
    inputs.publish(bootstrap, inputs.fetched(0, records))
    rates: dict[type[KafkaLog], list[float]] = {KafkaLog: [], AtLeastOnceLog: []}
    for n in range(_ROUNDS):
        for kind, found in rates.items():
            found.append(_rate(bootstrap, kind, f"bench-{kind.__name__}-{n}", batch))
    medians = {kind: sorted(found)[_ROUNDS // 2] for kind, found in rates.items()}
    return Cost(batch, medians[KafkaLog], medians[AtLeastOnceLog])


def _rate(bootstrap: str, kind: type[KafkaLog], group: str, batch: int) -> float:
    browser = KafkaBrowser(bootstrap)
    there = sum(end - first for first, end in browser.bounds(flow.FETCHED).values())
    step = flow.step("normalise")._replace(remembers=None)
    job = Transform(
        step,
        lambda events, states: [_trivial(event) for event in events],  # noqa: ARG005
        open_log=lambda job: kind(bootstrap, group=group, topics=[step.reads], instance=group, rebalance=job),
        browser=browser,
        clock=SystemClock(),
    )
    began = 0.0

    def stop() -> bool:
        nonlocal began
        if not began and job.counts["emitted"]:
            began = time.perf_counter()  # from the end of the first batch on: joining the group is not the question
        return job.counts["emitted"] >= there

    run(job.log, job, clock=SystemClock(), limit=batch, stop=stop)
    seconds = time.perf_counter() - began
    browser.close()
    return (there - batch) / seconds


def _trivial(event: Event) -> Outcome:
    raw = event.data
    assert isinstance(raw, RawArticle)
    text = raw.body.decode()
    return Emitted(
        Article(
            article_id=raw.article_id,
            revision=1,
            source=raw.source,
            url=None,
            title=None,
            authors=(),
            published_at=None,
            published_precision=None,
            fetched_at=datetime.now(UTC),
            language="fr",
            content_hash=text,
            text=text,
            sentences=(),
        )
    )
