"""Reading a log without being part of a group, and the topics themselves."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import TopicAlreadyExistsError

from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.connection import (
    BOOTSTRAP_MS,
    MAX_MESSAGE_BYTES,
    TRANSACTION_TIMEOUT_MS,
    consumer,
    foreign_errors,
    record,
)
from pipeline.errors import RetryLater
from pipeline.ports import Partition, Record

_SILENCE_S = 60.0
"""A read that brings nothing for so long fails: the broker is away, or somebody leaves a transaction open."""
_MOST_IDLE = 8


class KafkaBrowser:
    """`LogBrowser` over consumers without a group; each is opened when it is first needed and used again."""

    def __init__(self, bootstrap: KafkaAccess | str) -> None:
        self._bootstrap = KafkaAccess.of(bootstrap)
        self._opened: Any = None
        self._asking: dict[str, Any] = {}
        self._idle: list[Any] = []

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
        if start >= end:
            return
        with foreign_errors(f"reading {partition.topic}", self._bootstrap):
            reader = self._idle.pop() if self._idle else consumer(self._bootstrap)
            try:
                yield from _between(reader, TopicPartition(*partition), start, end)
            except GeneratorExit:
                self._keep(reader)
                raise
            except BaseException:
                reader.close()
                raise
            self._keep(reader)

    def _keep(self, reader: Any) -> None:
        """Keep a consumer for the next read: to open one costs more than to read a small partition."""
        if len(self._idle) < _MOST_IDLE:
            self._idle.append(reader)
        else:
            reader.close()

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        """See `LogBrowser.committed`."""
        out = {}
        with foreign_errors(f"asking for group {group}", self._bootstrap):
            asking = self._asking.pop(group, None) or consumer(self._bootstrap, group_id=group)
            try:
                for number in sorted(self._consumer.partitions_for_topic(topic) or ()):
                    # Not before what a transaction does to it is decided: kafka-python's admin would tell the old one.
                    offset = asking.committed(TopicPartition(topic, number), timeout_ms=2 * TRANSACTION_TIMEOUT_MS)
                    if offset is not None and offset >= 0:
                        out[Partition(topic, number)] = offset
            except BaseException:
                asking.close()
                raise
            self._asking[group] = asking
        return out

    def close(self) -> None:
        """See `LogBrowser.close`."""
        opened = [each for each in (self._opened, *self._asking.values(), *self._idle) if each is not None]
        self._opened, self._asking, self._idle = None, {}, []
        for each in opened:
            each.close()


def _between(reader: Any, tp: TopicPartition, start: int, end: int) -> Iterator[Record]:
    reader.assign([tp])
    reader.seek(tp, start)
    heard = time.monotonic()
    at = start
    while at < end:
        # Where only transaction markers are left, a poll finds nothing and waits in vain: keep it short.
        for raw in reader.poll(timeout_ms=100).get(tp, ()):
            if raw.offset >= end:
                return
            yield record(raw)
            heard = time.monotonic()
        before, at = at, reader.position(tp)
        if at > before:
            heard = time.monotonic()
        elif time.monotonic() - heard > _SILENCE_S:
            raise RetryLater(
                f"{tp.topic}[{tp.partition}] gave no record between {at} and {end} for {_SILENCE_S:.0f} s;"
                " is the broker up, or was the end of a transaction never written? `depeche doctor` tells"
            )


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
