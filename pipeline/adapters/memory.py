"""Memory twins of the log and the clock: same promises, no server. For tests and simulations.

`MemoryBroker` is what several `MemoryLog`s share, as several workers share one Kafka.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pipeline.errors import Fenced, RetryLater
from pipeline.ports import Message, Partition, Rebalance, Record


class MemoryClock:
    """A clock that moves only when somebody sleeps or sets it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        self._seconds += seconds
        self._now += timedelta(seconds=seconds)


class MemoryBroker:
    """Topics, consumer groups and fencing, in memory."""

    def __init__(self, topics: Mapping[str, int], clock: MemoryClock | None = None) -> None:
        self.clock = clock or MemoryClock()
        self.down = False
        self.loses_answers = False
        """Whether commits take effect without their sender hearing of it."""
        self._records: dict[Partition, list[Record]] = {
            Partition(topic, number): [] for topic, count in topics.items() for number in range(count)
        }
        self._positions: dict[str, dict[Partition, int]] = defaultdict(dict)
        self._members: dict[str, list[MemoryLog]] = defaultdict(list)
        self._epochs: dict[str, int] = defaultdict(int)
        self._generations: dict[str, int] = defaultdict(int)

    def partitions(self, topic: str) -> list[Partition]:
        return [p for p in self._records if p.topic == topic]

    def records(self, partition: Partition) -> list[Record]:
        return self._records[partition]

    def answer(self) -> None:
        """Raise `RetryLater` while the broker is down."""
        if self.down:
            raise RetryLater("the broker is down")

    def append(self, message: Message) -> None:
        number = message.partition
        if number is None:
            number = zlib.crc32(message.key) % len(self.partitions(message.topic))
        log = self._records[Partition(message.topic, number)]
        log.append(
            Record(message.topic, number, len(log), self.clock.now(), message.key, message.headers, message.value)
        )

    def new_epoch(self, transactional_id: str) -> int:
        self._epochs[transactional_id] += 1
        return self._epochs[transactional_id]

    def check_epoch(self, transactional_id: str, epoch: int) -> None:
        if self._epochs[transactional_id] != epoch:
            raise Fenced(f"another instance of {transactional_id} took over")

    def positions(self, group: str) -> dict[Partition, int]:
        return self._positions[group]

    def is_member(self, group: str, member: "MemoryLog") -> bool:
        return member in self._members[group]

    def join(self, group: str, member: "MemoryLog") -> None:
        self._members[group].append(member)
        self._rebalance(group)

    def leave(self, group: str, member: "MemoryLog") -> None:
        if member in self._members[group]:
            self._members[group].remove(member)
            self._rebalance(group)

    def forget_members(self) -> None:
        """End every session, with nobody told."""
        self._members.clear()

    def _rebalance(self, group: str) -> None:
        members = list(self._members[group])
        self._generations[group] += 1
        generation = self._generations[group]
        wanted: dict[MemoryLog, list[Partition]] = {member: [] for member in members}
        for index, partition in enumerate(sorted({p for m in members for p in m.subscribed})):
            wanted[members[index % len(members)]].append(partition)
        for member in members:
            member.take_away([p for p in member.owned if p not in wanted[member]])
            if self._generations[group] != generation:
                return  # what a member did on being asked has rebalanced the group already
        for member in members:
            member.hand_over([p for p in wanted[member] if p not in member.owned])


class MemoryLog:
    """`EventLog` over a `MemoryBroker`."""

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        group: str,
        topics: Sequence[str],
        instance: str,
        rebalance: Rebalance,
        transactional: bool = True,
        batch_bytes: int = 16 * 2**20,
    ) -> None:
        self._batch_bytes = batch_bytes
        self._broker = broker
        self._group = group
        self._rebalance = rebalance
        self._id = f"{group}.{instance}" if transactional else None
        self._epoch = broker.new_epoch(self._id) if self._id else 0
        self.subscribed = [p for topic in topics for p in broker.partitions(topic)]
        self.owned: list[Partition] = []
        self._waiting: list[Partition] = []
        self._next: dict[Partition, int] = {}
        broker.join(group, self)

    def take_away(self, partitions: Sequence[Partition]) -> None:
        if partitions:
            self._rebalance.revoked(partitions)
        self.owned = [p for p in self.owned if p not in partitions]
        self._waiting = [p for p in self._waiting if p not in partitions]

    def hand_over(self, partitions: Sequence[Partition]) -> None:
        self.owned += partitions
        self._waiting += partitions

    def poll(self, timeout: float, limit: int) -> list[Record]:
        """See `EventLog.poll`. Who was put out of the group while away loses what he had, and joins again."""
        self._broker.answer()
        if not self._broker.is_member(self._group, self):
            self._rebalance.lost(self.owned)
            self.owned, self._waiting = [], []
            self._broker.join(self._group, self)
        self._welcome()
        out: list[Record] = []
        for partition in self.owned:
            start = self._next[partition]
            out += self._broker.records(partition)[start : start + limit - len(out)]
        out = self._bounded(out)
        for record in out:
            self._next[Partition(record.topic, record.partition)] = record.offset + 1
        if not out:
            self._broker.clock.sleep(timeout)
        return out

    def _bounded(self, records: list[Record]) -> list[Record]:
        """Return how many of the first records fit into one batch, at least one."""
        size = 0
        for index, record in enumerate(records):
            size += len(record.value) + len(record.key)
            if index and size > self._batch_bytes:
                return records[:index]
        return records

    def _welcome(self) -> None:
        if not self._waiting:
            return
        given = self._rebalance.assigned(self._waiting)
        committed = self._broker.positions(self._group)
        self._next |= {p: given.get(p, committed.get(p, 0)) for p in self._waiting}
        self._waiting = []

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        """See `EventLog.commit`."""
        self._broker.answer()
        if self._id is not None:
            self._broker.check_epoch(self._id, self._epoch)
        elif messages:
            raise ValueError("a log without a transactional id cannot write")
        if not self._broker.is_member(self._group, self) or not set(positions) <= set(self.owned):
            raise RetryLater("the group was rebalanced before the commit")
        for message in messages:
            self._broker.append(message)
        self._broker.positions(self._group).update(positions)
        if self._broker.loses_answers:
            raise RetryLater("the answer to this commit was lost")

    def seek(self, positions: Mapping[Partition, int | None]) -> None:
        """See `EventLog.seek`."""
        self._broker.answer()
        committed = self._broker.positions(self._group)
        for partition, wanted in positions.items():
            if partition in self.owned:
                self._next[partition] = committed.get(partition, 0) if wanted is None else wanted

    def close(self) -> None:
        """See `EventLog.close`."""
        self.take_away(list(self.owned))
        self._broker.leave(self._group, self)


class MemoryBrowser:
    """`LogBrowser` over a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
        """See `LogBrowser.bounds`."""
        self._broker.answer()
        return {p: (0, len(self._broker.records(p))) for p in self._broker.partitions(topic)}

    def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
        """See `LogBrowser.read`."""
        self._broker.answer()
        yield from self._broker.records(partition)[start:end]

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        """See `LogBrowser.committed`."""
        self._broker.answer()
        return {p: offset for p, offset in self._broker.positions(group).items() if p.topic == topic}

    def close(self) -> None:
        """See `LogBrowser.close`."""


class MemoryWriter:
    """The memory twin of `KafkaWriter`: messages, all or nothing, fencing earlier bearers of its id."""

    def __init__(self, broker: MemoryBroker, transactional_id: str) -> None:
        self._broker = broker
        self._id = transactional_id
        self._epoch = broker.new_epoch(transactional_id)

    def claim(self) -> None:
        self._broker.answer()
        self._epoch = self._broker.new_epoch(self._id)

    def write(self, messages: Sequence[Message]) -> None:
        self._broker.answer()
        self._broker.check_epoch(self._id, self._epoch)
        for message in messages:
            self._broker.append(message)

    def close(self) -> None: ...
