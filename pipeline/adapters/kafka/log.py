"""One member of a consumer group, and the writer that commits for it.

Promise of `KafkaLog.commit` with a transactional id: the messages and the group's new positions become
visible together or not at all, and a second instance with the same id makes the first one `Fenced`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.base import MemberState
from kafka.future import Future
from kafka.structs import OffsetAndMetadata

from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.connection import (
    ANSWER_TIMEOUT_S,
    SESSION_TIMEOUT_MS,
    TRANSACTION_TIMEOUT_MS,
    consumer,
    foreign_errors,
    record,
    require_sight,
)
from pipeline.adapters.kafka.writer import KafkaWriter
from pipeline.errors import RetryLater
from pipeline.ports import Message, Partition, Rebalance, Record

BATCH_BYTES = 16 * 2**20
_PARTITION_FETCH_BYTES = 4 * 2**20


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


class _Ended(Future):  # type: ignore[misc]
    """A future that ends as soon as somebody waits for it, and not before."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result

    def add_errback(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        # What kafka-python's `wait_for` asks for last.
        super().add_errback(f, *args, **kwargs)
        return self.success(self.result)


class KafkaLog:
    """`EventLog` over one consumer of a group and, with `transactional_id`, one transactional producer."""

    def __init__(
        self,
        bootstrap: KafkaAccess | str,
        *,
        group: str,
        topics: Sequence[str],
        instance: str,
        rebalance: Rebalance,
        transactional: bool = True,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._bootstrap = KafkaAccess.of(bootstrap)
        self._batch_bytes = batch_bytes
        self._listener = _Listener(rebalance)
        self._rebalance = rebalance
        self._writer = KafkaWriter(bootstrap, f"{group}.{instance}") if transactional else None
        self._settled = False
        self._known_as = ""
        with foreign_errors(f"joining group {group}", self._bootstrap):
            self._consumer = consumer(
                self._bootstrap,
                group_id=group,
                group_instance_id=instance,
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=SESSION_TIMEOUT_MS // 4,
                max_poll_interval_ms=600_000,
                # What is fetched ahead: a first record that is larger comes all the same (KIP-74).
                max_partition_fetch_bytes=min(batch_bytes, _PARTITION_FETCH_BYTES),
                fetch_max_bytes=batch_bytes,
                partition_assignment_strategy=[CooperativeStickyAssignor()],
            )
            self._listener.consumer = self._consumer
            self._member = self._consumer.group_metadata()
            self._consumer.subscribe(list(topics), listener=self._listener)

    def poll(self, timeout: float, limit: int) -> list[Record]:
        """See `EventLog.poll`."""
        with foreign_errors("reading", self._bootstrap):
            self._finish_joining()
            try:
                batches = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=limit)
            except BaseException:
                # What it had taken from its buffers is gone with it.
                self._begin_again()
                raise
            self._member = self._consumer.group_metadata()
            if self._was_forgotten():
                self._begin_again()
                batches = {}
            batch = self._bounded(batches)
            try:
                require_sight(self._consumer)
                self._settle()
                self._welcome()
            except BaseException:
                # Nobody sees this batch, so nobody could go back to where it began.
                for tp, raws in batches.items():
                    self.seek({Partition(tp.topic, tp.partition): raws[0].offset})
                raise
        return batch

    def _finish_joining(self) -> None:
        """See to it that a poll takes up the join that an earlier one left in flight; kafka-python may no longer know
        that it wanted to join, or join once more: docs/decisions/0008-joins-left-in-flight.md."""
        coordinator = self._consumer._coordinator
        join = coordinator._join_task
        if join is None:
            return
        coordinator.request_rejoin()
        if not (join.succeeded() or isinstance(join, _Ended)):
            return
        forgotten = coordinator._generation.generation_id < 0
        coordinator._join_task = None if forgotten else _Ended(join.value if join.is_done else join.result)

    def _was_forgotten(self) -> bool:
        """Tell whether the group has let us in anew since the last poll. kafka-python may then keep what we owned and
        say nothing, though others may have worked on it: docs/decisions/0007-positions-asked-anew.md."""
        if self._member.state is not MemberState.STABLE or self._member.member_id == self._known_as:
            return False
        before, self._known_as = self._known_as, self._member.member_id
        return bool(before)

    def _begin_again(self) -> None:
        """Take every partition we own as lost and given to us again."""
        owned = self._consumer.assignment()
        if owned:
            self._listener.on_partitions_lost(owned)
            self._listener.on_partitions_assigned(owned)

    def _settle(self) -> None:
        """Ask for one more rebalance after the first join. A predecessor of our name that died between giving a
        partition away and joining again left it with nobody, and the broker lets a static member back in without
        looking: docs/decisions/0006-stranded-partitions.md."""
        if not self._settled and self._member.state is MemberState.STABLE:
            self._settled = True
            self._consumer._coordinator.request_rejoin()

    @property
    def joined(self) -> bool:
        """Tell whether the group has counted this member in, with or without partitions of its own."""
        return bool(self._consumer.group_metadata().generation_id >= 0)

    def _bounded(self, batches: Mapping[Any, Sequence[Any]]) -> list[Record]:
        """Return what fits into one batch, at least one record; the rest is not kept but fetched again, so that a
        rebalance or a seek has nothing to drop."""
        out: list[Record] = []
        left = self._batch_bytes
        owned = self._consumer.assignment()
        for tp, raws in batches.items():
            for raw in raws:
                size = len(raw.value or b"") + len(raw.key or b"")
                if out and size > left:
                    if tp in owned:
                        self._consumer.seek(tp, raw.offset)
                    left = 0
                    break
                out.append(record(raw))
                left -= size
        return out

    def _welcome(self) -> None:
        """Let the new partitions flow, each from where its owner says, or else from the group's position of now.

        They wait while a join is under way: a broker answers nothing on a connection until it has answered the join.
        """
        if not self._listener.waiting or self._member.state is not MemberState.STABLE:
            return
        waiting, self._listener.waiting = self._listener.waiting, []
        try:
            if self._writer is not None:
                # What we left open when we were killed would be waited for until it times out.
                self._writer.claim()
            self.seek({**dict.fromkeys(waiting), **self._rebalance.assigned(waiting)})
        except BaseException:
            self._listener.waiting = waiting + self._listener.waiting
            raise
        owned = self._consumer.assignment()
        self._consumer.resume(*(tp for p in waiting if (tp := TopicPartition(*p)) in owned))

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        """See `EventLog.commit`."""
        offsets = {TopicPartition(*p): OffsetAndMetadata(offset, "", -1) for p, offset in positions.items()}
        if self._writer is not None:
            # As it was when the batch was read: what the group says by now fences nobody who read it before.
            if offsets and self._member.generation_id < 0:
                raise RetryLater("the group has forgotten this worker; it joins anew")
            self._writer.write(messages, offsets, self._member)
            return
        if messages:
            raise ValueError("a log without a transactional id cannot write")
        with foreign_errors("committing", self._bootstrap):
            self._consumer.commit(offsets, timeout_ms=int(ANSWER_TIMEOUT_S * 1000))

    def seek(self, positions: Mapping[Partition, int | None]) -> None:
        """See `EventLog.seek`; partitions that are not ours (any more) are left alone."""
        owned = self._consumer.assignment()
        for partition, wanted in positions.items():
            if (tp := TopicPartition(*partition)) not in owned:
                continue
            offset = self._committed(tp) if wanted is None else wanted
            if offset is None:
                self._consumer.seek_to_beginning(tp)
            else:
                self._consumer.seek(tp, offset)

    def _committed(self, tp: Any) -> int | None:
        """Return the group's position. The broker withholds it while a transaction that moves it is open, which
        is `TRANSACTION_TIMEOUT_MS` at most."""
        if self._writer is not None:
            self._writer.claim()
        # kafka-python keeps an answer that came too late for whoever asks next for the same partitions, however
        # long ago that was: docs/decisions/0007-positions-asked-anew.md.
        self._consumer._coordinator._offset_fetch_futures.clear()
        with foreign_errors("asking for the group's position", self._bootstrap):
            offset: int | None = self._consumer.committed(tp, timeout_ms=2 * TRANSACTION_TIMEOUT_MS)
        return None if offset is None or offset < 0 else offset

    def close(self) -> None:
        """See `EventLog.close`."""
        with foreign_errors("leaving", self._bootstrap):
            self._consumer.close(autocommit=False, timeout_ms=5_000)
        if self._writer is not None:
            self._writer.close()
