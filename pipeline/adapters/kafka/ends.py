"""The ends of transactions that a broker never wrote: docs/decisions/0009-ends-never-written.md."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import TopicPartition
from kafka.admin import TransactionState
from kafka.errors import ClusterAuthorizationFailedError, TopicAuthorizationFailedError, for_code
from kafka.protocol.producer.transaction import WriteTxnMarkersRequest

from pipeline.adapters.kafka import transaction_log
from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.connection import asked, consumer, foreign_errors
from pipeline.errors import Misconfigured, RetryLater
from pipeline.ports import LeftOpen, Partition

_BUSY = (
    TransactionState.ONGOING,
    TransactionState.PREPARE_COMMIT,
    TransactionState.PREPARE_ABORT,
    TransactionState.PREPARE_EPOCH_FENCE,
)
# A producer that no coordinator knows was forgotten after days, or is one of which we may not hear.
_FORGOTTEN = timedelta(days=1)
_PATIENCE_S = 60.0


class KafkaEnds:
    """`TransactionEnds` over an admin client that is opened for each question."""

    def __init__(self, bootstrap: KafkaAccess | str) -> None:
        self._bootstrap = KafkaAccess.of(bootstrap)

    def left_open(self, topics: Sequence[str]) -> list[LeftOpen]:
        """See `TransactionEnds.left_open`.

        A coordinator is done with a transaction when all its partitions have the end. What was open before it was
        asked, is not under way, and is open still, is therefore ended by nobody (KIP-664).
        """
        return asked(
            self._bootstrap,
            "asking for open transactions",
            lambda admin: _left_open(admin, topics),
            seconds=_PATIENCE_S,
        )

    def decided(self, transaction: LeftOpen) -> bool | None:
        """See `TransactionEnds.decided`: it is the last decision on that producer that names the partition.

        A later one would have ended this one too: a marker ends whatever its producer has open.
        """
        last = None
        with foreign_errors("reading what was decided", self._bootstrap):
            reader = consumer(self._bootstrap, exclude_internal_topics=False)
            try:
                for raw in _everything(reader, transaction_log.TOPIC):
                    note = transaction_log.read(raw.value) if raw.value is not None else None
                    if (
                        note is not None
                        and note.producer_id == transaction.producer_id
                        and note.state in (transaction_log.PREPARE_COMMIT, transaction_log.PREPARE_ABORT)
                        and transaction.partition in note.partitions
                    ):
                        last = note.state == transaction_log.PREPARE_COMMIT
            finally:
                reader.close()
        return last

    def end(self, transaction: LeftOpen, *, commit: bool) -> None:
        """See `TransactionEnds.end`: the request that a coordinator would have sent."""
        marker = WriteTxnMarkersRequest.WritableTxnMarker
        topic = marker.WritableTxnMarkerTopic(
            name=transaction.partition.topic, partition_indexes=[transaction.partition.number]
        )
        request = WriteTxnMarkersRequest(
            markers=[
                marker(
                    producer_id=transaction.producer_id,
                    producer_epoch=transaction.producer_epoch,
                    transaction_result=commit,
                    topics=[topic],
                    coordinator_epoch=transaction.coordinator_epoch,
                )
            ]
        )
        tp = TopicPartition(*transaction.partition)
        asked(
            self._bootstrap,
            "writing the end",
            lambda admin: admin._manager.run(_written, admin, request, tp),
            seconds=_PATIENCE_S,
        )


def _left_open(admin: Any, topics: Sequence[str]) -> list[LeftOpen]:
    found = admin.describe_topics(list(topics))
    for topic in found:
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise TopicAuthorizationFailedError(topic["name"])
    partitions = [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in found
        if not topic["error_code"]
        for partition in topic["partitions"]
    ]
    before = set(_open(admin, partitions))
    if not before:
        return []
    known, under_way = _coordinated(admin, {each.producer_id for each in before})
    long_ago = datetime.now(UTC) - _FORGOTTEN
    return sorted(
        each
        for each in _open(admin, partitions)
        if each in before
        and (each.producer_id, each.partition) not in under_way
        and (each.producer_id in known or each.written_at < long_ago)
    )


async def _written(admin: Any, request: Any, partition: Any) -> None:
    # kafka-python's own `abort_transaction` can only undo.
    (leader,) = await admin._async_get_leader_for_partitions([partition])
    answer = await admin._manager.send(request, node_id=leader)
    codes = [each.error_code for marker in answer.markers for topic in marker.topics for each in topic.partitions]
    for code in codes:
        if code == ClusterAuthorizationFailedError.errno:
            raise Misconfigured(
                "to write the end of a transaction takes ClusterAction, a broker's right: run `depeche mend` under the"
                " name of whoever administers the cluster"
            )
        if code:
            raise RetryLater(
                f"the broker did not take the end of a transaction in {partition.topic}[{partition.partition}]"
                f" ({for_code(code).__name__})"
            )


def _open(admin: Any, partitions: Sequence[Any]) -> Iterator[LeftOpen]:
    for tp, found in admin.describe_producers(partitions).items():
        for producer in found.active_producers:
            if producer.current_transaction_start_offset >= 0:
                yield LeftOpen(
                    Partition(tp.topic, tp.partition),
                    producer.current_transaction_start_offset,
                    datetime.fromtimestamp(producer.last_timestamp / 1000, tz=UTC),
                    producer.producer_id,
                    producer.producer_epoch,
                    producer.coordinator_epoch,
                )


def _coordinated(admin: Any, producers: set[int]) -> tuple[set[int], set[tuple[int, Partition]]]:
    """Return the producers that coordinators know, and what of theirs is under way in which partition."""
    listed = admin.list_transactions(producer_id_filters=sorted(producers))
    found = [each for listing in listed.values() for each in listing]
    described = admin.describe_transactions(sorted({each.transactional_id for each in found})) if found else {}
    under_way = {
        (each.producer_id, Partition(tp.topic, tp.partition))
        for each in described.values()
        if each.state in _BUSY
        for tp in each.topic_partitions
    }
    return {each.producer_id for each in found}, under_way


def _everything(reader: Any, topic: str) -> Iterator[Any]:
    tps = [TopicPartition(topic, number) for number in sorted(reader.partitions_for_topic(topic) or ())]
    ends = reader.end_offsets(tps)
    for tp in tps:
        reader.assign([tp])
        reader.seek_to_beginning(tp)
        heard = time.monotonic()
        while (at := reader.position(tp)) < ends[tp]:
            yield from reader.poll(timeout_ms=500).get(tp, ())
            if reader.position(tp) > at:
                heard = time.monotonic()
            elif time.monotonic() - heard > _PATIENCE_S:
                raise RetryLater(f"{topic}[{tp.partition}] gave nothing for {_PATIENCE_S:.0f} s; is the broker up?")
