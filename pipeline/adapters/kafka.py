"""Kafka behind the ports `EventLog` and `LogBrowser`. The only file that imports kafka-python for the line.

Promise of `KafkaLog.commit` with a transactional id: the messages and the group's new positions become
visible together or not at all, and a second instance with the same id makes the first one `Fenced`.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CoordinatorNotAvailableError,
    FencedInstanceIdError,
    InvalidProducerEpochError,
    KafkaError,
    ProducerFencedError,
    TopicAlreadyExistsError,
)
from kafka.structs import OffsetAndMetadata

from pipeline.errors import Fenced, RetryLater
from pipeline.ports import Message, Partition, Rebalance, Record

T = TypeVar("T")

_MAX_MESSAGE_BYTES = 16 * 2**20
# A killed worker's open transaction hides what follows it from readers until this long has passed.
_TRANSACTION_TIMEOUT_MS = 15_000
_SESSION_TIMEOUT_MS = 10_000
# A broker that is up answers at once; whoever waits for one that is not yet asks again.
_BOOTSTRAP_MS = 5_000
# kafka-python's transaction calls wait without a limit; past this one the worker is failed instead.
_ANSWER_TIMEOUT_S = 60.0


@contextmanager
def _foreign_errors(doing: str, where: str) -> Iterator[None]:
    try:
        yield
    except (ProducerFencedError, InvalidProducerEpochError, FencedInstanceIdError) as error:
        raise Fenced(f"{doing}: another instance of this worker took over ({error})") from error
    except (KafkaError, OSError) as error:
        raise RetryLater(f"{doing}: Kafka at {where} did not do it ({error!r}); is the broker up?") from error


def _within(seconds: float, what: str, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise `RetryLater` when it takes longer; it is then left behind."""
    box: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            box.append(call())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, whatever it is
            failure.append(error)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if thread.is_alive():
        raise RetryLater(f"{what}: no answer from Kafka in {seconds:.0f} s")
    return box[0]


def _record(raw: Any) -> Record:
    return Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        timestamp=datetime.fromtimestamp(raw.timestamp / 1000, tz=UTC),
        key=raw.key or b"",
        headers=tuple(raw.headers),
        value=raw.value or b"",
    )


def _consumer(bootstrap: str, **more: Any) -> Any:
    return KafkaConsumer(
        bootstrap_servers=bootstrap,
        bootstrap_timeout_ms=_BOOTSTRAP_MS,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=_MAX_MESSAGE_BYTES,
        fetch_max_bytes=4 * _MAX_MESSAGE_BYTES,
        **more,
    )


class KafkaWriter:
    """Writes messages in transactions under one `transactional_id`, which also fences its earlier bearers."""

    def __init__(self, bootstrap: str, transactional_id: str) -> None:
        self._bootstrap = bootstrap
        self._transactional_id = transactional_id
        self._producer: Any = None

    def write(self, messages: Sequence[Message], offsets: Mapping[Any, Any] | None = None, member: Any = None) -> None:
        """Commit the messages, and the offsets of `member`'s group with them. Raises `RetryLater`, `Fenced`."""
        with _foreign_errors("writing", self._bootstrap):
            try:
                _within(_ANSWER_TIMEOUT_S, "Kafka transaction", lambda: self._transact(messages, offsets, member))
            except BaseException:
                self._drop()
                raise

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()

    def _transact(self, messages: Sequence[Message], offsets: Mapping[Any, Any] | None, member: Any) -> None:
        producer = self._ready()
        producer.begin_transaction()
        try:
            sent = [
                producer.send(m.topic, value=m.value, key=m.key, headers=list(m.headers), partition=m.partition)
                for m in messages
            ]
            producer.flush(timeout=_ANSWER_TIMEOUT_S / 2)
            for future in sent:
                future.get(timeout=0)
            if offsets:
                producer.send_offsets_to_transaction(dict(offsets), member)
            producer.commit_transaction()
        except (ProducerFencedError, InvalidProducerEpochError):
            raise
        except KafkaError:
            producer.abort_transaction()
            raise

    def _ready(self) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._bootstrap,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                transactional_id=self._transactional_id,
                transaction_timeout_ms=_TRANSACTION_TIMEOUT_MS,
                linger_ms=5,
                compression_type="zstd",
                max_request_size=_MAX_MESSAGE_BYTES,
                max_block_ms=30_000,
            )
            self._producer.init_transactions()
        return self._producer

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # In its own thread: closing a producer whose broker is gone can wait for ever.
            threading.Thread(target=lambda: producer.close(timeout=2), daemon=True).start()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs inside kafka-python's loop, so it only notes what happened, and holds new partitions back."""

    def __init__(self, rebalance: Rebalance) -> None:
        self._rebalance = rebalance
        self.consumer: Any = None
        self.waiting: list[Partition] = []

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        fresh = list(assigned)
        if fresh:
            self.consumer.pause(*fresh)
            self.waiting.extend(Partition(tp.topic, tp.partition) for tp in fresh)

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self._rebalance.revoked(self._gone(revoked))

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self._rebalance.lost(self._gone(lost))

    def _gone(self, partitions: Iterable[Any]) -> list[Partition]:
        gone = [Partition(tp.topic, tp.partition) for tp in partitions]
        self.waiting = [p for p in self.waiting if p not in gone]
        return gone


class KafkaLog:
    """`EventLog` over one consumer of a group and, with `transactional_id`, one transactional producer."""

    def __init__(
        self,
        bootstrap: str,
        *,
        group: str,
        topics: Sequence[str],
        instance: str,
        rebalance: Rebalance,
        transactional: bool = True,
    ) -> None:
        self._bootstrap = bootstrap
        self._listener = _Listener(rebalance)
        self._rebalance = rebalance
        self._writer = KafkaWriter(bootstrap, f"{group}.{instance}") if transactional else None
        with _foreign_errors(f"joining group {group}", bootstrap):
            self._consumer = _consumer(
                bootstrap,
                group_id=group,
                group_instance_id=instance,
                session_timeout_ms=_SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=_SESSION_TIMEOUT_MS // 4,
                max_poll_interval_ms=600_000,
                partition_assignment_strategy=[CooperativeStickyAssignor()],
            )
            self._listener.consumer = self._consumer
            self._consumer.subscribe(list(topics), listener=self._listener)

    def poll(self, timeout: float, limit: int) -> list[Record]:
        """See `EventLog.poll`."""
        with _foreign_errors("reading", self._bootstrap):
            batches = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=limit)
            self._welcome()
        return [_record(raw) for batch in batches.values() for raw in batch]

    def _welcome(self) -> None:
        """Let the new partitions flow, each from where its owner says."""
        waiting, self._listener.waiting = self._listener.waiting, []
        if not waiting:
            return
        try:
            self.seek(self._rebalance.assigned(waiting))
        except BaseException:
            self._listener.waiting = waiting + self._listener.waiting
            raise
        owned = self._consumer.assignment()
        self._consumer.resume(*(tp for p in waiting if (tp := TopicPartition(*p)) in owned))

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        """See `EventLog.commit`."""
        offsets = {TopicPartition(*p): OffsetAndMetadata(offset, "", -1) for p, offset in positions.items()}
        if self._writer is not None:
            self._writer.write(messages, offsets, self._consumer.group_metadata())
            return
        if messages:
            raise ValueError("a log without a transactional id cannot write")
        with _foreign_errors("committing", self._bootstrap):
            self._consumer.commit(offsets, timeout_ms=int(_ANSWER_TIMEOUT_S * 1000))

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """See `EventLog.seek`; partitions that are not ours (any more) are left alone."""
        owned = self._consumer.assignment()
        for partition, offset in positions.items():
            if (tp := TopicPartition(*partition)) in owned:
                self._consumer.seek(tp, offset)

    def close(self) -> None:
        """See `EventLog.close`."""
        with _foreign_errors("leaving", self._bootstrap):
            self._consumer.close(autocommit=False, timeout_ms=5_000)
        if self._writer is not None:
            self._writer.close()


class KafkaBrowser:
    """`LogBrowser` over a consumer without a group; opened at the first question."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._opened: Any = None

    @property
    def _consumer(self) -> Any:
        if self._opened is None:
            self._opened = _consumer(self._bootstrap)
        return self._opened

    def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
        """See `LogBrowser.bounds`."""
        with _foreign_errors(f"asking for {topic}", self._bootstrap):
            tps = [TopicPartition(topic, n) for n in sorted(self._consumer.partitions_for_topic(topic) or ())]
            first = self._consumer.beginning_offsets(tps)
            end = self._consumer.end_offsets(tps)
        return {Partition(topic, tp.partition): (first[tp], end[tp]) for tp in tps}

    def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
        """See `LogBrowser.read`."""
        tp = TopicPartition(*partition)
        if start >= end:
            return
        with _foreign_errors(f"reading {partition.topic}", self._bootstrap):
            reader = _consumer(self._bootstrap)
            try:
                reader.assign([tp])
                reader.seek(tp, start)
                while reader.position(tp) < end:
                    # Where only transaction markers are left, a poll finds nothing and waits in vain: keep it short.
                    for raw in reader.poll(timeout_ms=100).get(tp, ()):
                        if raw.offset >= end:
                            return
                        yield _record(raw)
            finally:
                reader.close()

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        """See `LogBrowser.committed`."""
        with _foreign_errors(f"asking for group {group}", self._bootstrap):
            admin = KafkaAdminClient(bootstrap_servers=self._bootstrap, bootstrap_timeout_ms=_BOOTSTRAP_MS)
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
    deadline = time.monotonic() + _BOOTSTRAP_MS / 1000
    while True:
        try:
            return ask()
        except CoordinatorNotAvailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def create_topics(
    bootstrap: str, topics: Iterable[str], *, compacted: Iterable[str], partitions: int, replication: int
) -> list[str]:
    """Create the topics that are missing and return their names. Fact topics keep every record for ever."""
    states = set(compacted)
    with _foreign_errors("creating topics", bootstrap):
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=_BOOTSTRAP_MS)
        try:
            missing = sorted({*topics, *states} - set(admin.list_topics()))
            for topic in missing:
                settings = {"max.message.bytes": str(_MAX_MESSAGE_BYTES), "message.timestamp.type": "LogAppendTime"}
                settings |= {"cleanup.policy": "compact"} if topic in states else {"retention.ms": "-1"}
                wanted = {"num_partitions": partitions, "replication_factor": replication, "configs": settings}
                try:
                    admin.create_topics({topic: wanted}, wait_for_metadata=True)
                except TopicAlreadyExistsError:
                    continue
        finally:
            admin.close()
    return missing
