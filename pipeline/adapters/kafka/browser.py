"""Reading a log without being part of a group, and the topics themselves."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import (
    CoordinatorNotAvailableError,
    TopicAlreadyExistsError,
)

from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.connection import BOOTSTRAP_MS, MAX_MESSAGE_BYTES, consumer, foreign_errors, record
from pipeline.ports import Partition, Record


class KafkaBrowser:
    """`LogBrowser` over a consumer without a group; opened at the first question."""

    def __init__(self, bootstrap: KafkaAccess | str) -> None:
        self._bootstrap = KafkaAccess.of(bootstrap)
        self._opened: Any = None

    @property
    def _consumer(self) -> Any:
        if self._opened is None:
            # Sees the ends as they are written, so that what an open transaction may still commit is not left out.
            self._opened = consumer(self._bootstrap, isolation_level="read_uncommitted")
        return self._opened

    def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
        """See `LogBrowser.bounds`."""
        with foreign_errors(f"asking for {topic}", self._bootstrap):
            tps = [TopicPartition(topic, n) for n in sorted(self._consumer.partitions_for_topic(topic) or ())]
            first = self._consumer.beginning_offsets(tps)
            end = self._consumer.end_offsets(tps)
        return {Partition(topic, tp.partition): (first[tp], end[tp]) for tp in tps}

    def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
        """See `LogBrowser.read`."""
        tp = TopicPartition(*partition)
        if start >= end:
            return
        with foreign_errors(f"reading {partition.topic}", self._bootstrap):
            reader = consumer(self._bootstrap)
            try:
                reader.assign([tp])
                reader.seek(tp, start)
                while reader.position(tp) < end:
                    # Where only transaction markers are left, a poll finds nothing and waits in vain: keep it short.
                    for raw in reader.poll(timeout_ms=100).get(tp, ()):
                        if raw.offset >= end:
                            return
                        yield record(raw)
            finally:
                reader.close()

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        """See `LogBrowser.committed`."""
        with foreign_errors(f"asking for group {group}", self._bootstrap):
            admin = KafkaAdminClient(**self._bootstrap.arguments(), bootstrap_timeout_ms=BOOTSTRAP_MS)
            try:
                offsets = _when_coordinated(lambda: admin.list_group_offsets(group)).get(group, {})
            finally:
                admin.close()
        return {
            Partition(tp.topic, tp.partition): known.offset
            for tp, known in offsets.items()
            if tp.topic == topic and known.offset >= 0
        }

    def close(self) -> None:
        """See `LogBrowser.close`."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _when_coordinated(ask: Callable[[], Any]) -> Any:
    """Return the answer, asking again while a fresh broker still makes the topic its groups live in."""
    deadline = time.monotonic() + BOOTSTRAP_MS / 1000
    while True:
        try:
            return ask()
        except CoordinatorNotAvailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def topic_settings(*, compacted: bool) -> dict[str, str]:
    """Return the settings of one of our topics: a fact is kept for ever, of a state the latest per key."""
    settings = {"max.message.bytes": str(MAX_MESSAGE_BYTES), "message.timestamp.type": "LogAppendTime"}
    return settings | ({"cleanup.policy": "compact"} if compacted else {"retention.ms": "-1"})


def create_topics(
    bootstrap: KafkaAccess | str,
    topics: Iterable[str],
    *,
    compacted: Iterable[str],
    partitions: int,
    replication: int,
) -> list[str]:
    """Create the topics that are missing and return their names. Fact topics keep every record for ever."""
    states, access = set(compacted), KafkaAccess.of(bootstrap)
    with foreign_errors("creating topics", access):
        admin = KafkaAdminClient(**access.arguments(), bootstrap_timeout_ms=BOOTSTRAP_MS)
        try:
            missing = sorted({*topics, *states} - set(admin.list_topics()))
            for topic in missing:
                settings = topic_settings(compacted=topic in states)
                wanted = {"num_partitions": partitions, "replication_factor": replication, "configs": settings}
                try:
                    admin.create_topics({topic: wanted}, wait_for_metadata=True)
                except TopicAlreadyExistsError:
                    continue
        finally:
            admin.close()
    return missing
