"""What only a real broker can do: wait for open transactions, fence, and hand partitions over when members die."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove
from kafka.coordinator.base import MemberState
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, NoError
from kafka.structs import OffsetAndMetadata

from pipeline.adapters.kafka import KafkaBrowser, KafkaLog, KafkaWriter, create_topics
from pipeline.errors import Fenced, RetryLater
from pipeline.ports import Partition
from tests.fixtures.logs import Watcher, everything, messages
from tests.fixtures.servers import free_ports, start_kafka


def test_a_broker_where_no_group_ever_was_answers_too(tmp_path: Path) -> None:
    port, controller = free_ports(2)
    process = start_kafka(tmp_path, port, controller)
    browser = KafkaBrowser(f"127.0.0.1:{port}")
    try:
        assert browser.committed("first", "absent") == {}
    finally:
        browser.close()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_position_that_a_transaction_moves_is_told_when_it_is_decided(kafka: str) -> None:
    topic = f"t-{uuid4().hex[:8]}"
    create_topics(kafka, [topic], compacted=(), partitions=1, replication=1)
    partition = Partition(topic, 0)
    producer = KafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    producer.init_transactions()
    with closing(KafkaBrowser(kafka)) as browser:
        for offset, ending in ((3, producer.commit_transaction), (5, producer.abort_transaction)):
            producer.begin_transaction()
            moved = {TopicPartition(*partition): OffsetAndMetadata(offset, "", -1)}
            producer.send_offsets_to_transaction(moved, topic)
            timer = threading.Timer(1.0, ending)
            timer.start()
            told = browser.committed(topic, topic)
            timer.join()
            assert told == {partition: 3}
    producer.close()


def test_a_read_waits_for_what_an_open_transaction_may_still_commit(kafka: str) -> None:
    topic = f"t-{uuid4().hex[:8]}"
    create_topics(kafka, [topic], compacted=[], partitions=1, replication=1)
    producer = KafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, b"late", partition=0).get(timeout=10)
    browser = KafkaBrowser(kafka)
    (partition,) = browser.bounds(topic)
    start, end = browser.bounds(topic)[partition]
    assert end == 1
    timer = threading.Timer(1.0, producer.commit_transaction)
    timer.start()
    assert [r.value for r in browser.read(partition, start, end)] == [b"late"]
    timer.join()
    producer.close()
    browser.close()


def test_an_empty_transaction_fences_whoever_wrote_under_that_name_before(kafka: str) -> None:
    topic = f"fence-{uuid4().hex[:8]}"
    create_topics(kafka, [topic], compacted=(), partitions=1, replication=1)
    with closing(KafkaWriter(kafka, topic)) as first, closing(KafkaWriter(kafka, topic)) as second:
        first.write(messages(topic, 1))
        second.write([])
        with pytest.raises(Fenced):
            first.write(messages(topic, 2))
        second.write(messages(topic, 1))
    with closing(KafkaBrowser(kafka)) as browser:
        assert len(everything(browser, topic)) == 2


def test_a_partition_given_away_by_a_member_that_dies_finds_an_owner(kafka: str) -> None:
    topic = f"t-{uuid4().hex[:8]}"
    create_topics(kafka, [topic], compacted=(), partitions=2, replication=1)

    class Dying(Watcher):
        """Never returns from giving a partition away, as if the process had been killed there."""

        gave, end = threading.Event(), threading.Event()

        def revoked(self, partitions: Sequence[Partition]) -> None:
            super().revoked(partitions)
            self.gave.set()
            self.end.wait(60)

    def member(instance: str, watcher: Watcher) -> KafkaLog:
        return KafkaLog(kafka, group=topic, topics=[topic], instance=instance, rebalance=watcher, transactional=False)

    def keep_polling(log: KafkaLog) -> None:
        with contextlib.suppress(RetryLater):  # another bears his name by then
            while not dying.end.is_set():
                log.poll(0.2, 10)

    dying, heir, other = Dying(), Watcher(), Watcher()
    first, second = member("a", dying), member("b", other)
    poll_for(first, lambda: len(dying.owned) == 2)
    threading.Thread(target=keep_polling, args=(first,), daemon=True).start()
    poll_for(second, dying.gave.is_set)
    third = member("a", heir)
    try:
        for _ in range(60):
            third.poll(0.2, 10)
            second.poll(0.2, 10)
            if len(heir.owned | other.owned) == 2:
                break
        assert (len(heir.owned), len(other.owned)) == (1, 1)
    finally:
        dying.end.set()
        for log in (second, third):
            log.close()


def test_nothing_is_asked_behind_a_join_that_is_under_way(kafka: str) -> None:
    with two_members(kafka) as logs:
        first = logs[0]
        for _ in polls_by_turns(logs):
            if all(at_rest(log) for log in logs):
                break
        # The second keeps silent, so the first one's join stays without an answer.
        first._consumer._coordinator.request_rejoin()
        first.poll(0.2, 10)
        assert first._member.state is MemberState.REBALANCING
        first._begin_again()
        began = time.monotonic()
        first.poll(0.2, 10)
        assert time.monotonic() - began < 5
        assert first._listener.waiting
        for _ in polls_by_turns(logs):
            if not first._listener.waiting:
                break
        assert not first._listener.waiting


def test_a_join_that_ends_between_two_polls_is_not_begun_again(kafka: str) -> None:
    with two_members(kafka) as logs:
        # Each one's join is answered while the other polls.
        generations = []
        for _ in polls_by_turns(logs):
            if all(at_rest(log) for log in logs):
                generations.append(logs[0]._member.generation_id)
                if len(generations) == 20:
                    break
        assert len(generations) == 20
        assert len(set(generations)) == 1


@pytest.mark.parametrize("asking", ["going back", "assigned again"])
def test_an_answer_that_came_too_late_is_no_position(kafka: str, asking: str) -> None:
    partition, log = reading_nine(kafka)
    of_client = TopicPartition(*partition)
    with closing(log):
        log.commit([], {partition: 3})
        with pytest.raises(KafkaTimeoutError):
            log._consumer.committed(of_client, timeout_ms=0)
        log.poll(0.5, 10)  # now it comes: 3
        log.commit([], {partition: 7})
        if asking == "going back":
            log.seek({partition: None})
        else:
            for assignment in ([], [of_client]):
                log._consumer._subscription.assign_from_subscribed(assignment)
            log._listener.on_partitions_assigned([of_client])
        read = [record.offset for _ in range(20) for record in log.poll(0.2, 10)]
    assert read == [7, 8]


def test_short_polls_join_a_group_too(kafka: str) -> None:
    for _ in range(5):
        topic = f"t-{uuid4().hex[:8]}"
        create_topics(kafka, [topic], compacted=(), partitions=1, replication=1)
        with closing(KafkaLog(kafka, group=topic, topics=[topic], instance="one", rebalance=Watcher())) as log:
            for _ in range(4_000):
                log.poll(0.002, 10)
                if log._consumer.assignment():
                    break
            assert log._consumer.assignment()


def test_a_member_that_was_forgotten_goes_on_where_the_others_left_off(kafka: str) -> None:
    partition, log = reading_nine(kafka)
    with closing(log):
        log.commit([], {partition: 3})
        forget(kafka, log, partition, others_came_to=7)
        # As when it is cut off in the middle of joining: kafka-python then says nothing and keeps the partition.
        log._consumer._coordinator.rejoining = True
        log._consumer._coordinator.request_rejoin()
        read = [record.offset for _ in range(40) for record in log.poll(0.2, 10)]
    assert read == [7, 8]


def test_a_batch_of_before_a_member_was_forgotten_cannot_be_committed(kafka: str) -> None:
    partition, log = reading_nine(kafka)
    with closing(log), closing(KafkaBrowser(kafka)) as browser:
        forget(kafka, log, partition, others_came_to=7)
        log._consumer._coordinator.reset_generation()
        with pytest.raises(RetryLater):
            log.commit(messages(partition.topic, 1), {partition: 3})
        assert browser.committed(partition.topic, partition.topic) == {partition: 7}
        assert len(everything(browser, partition.topic)) == 9


def test_what_a_failed_poll_had_taken_from_its_buffers_is_read_again(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition, log = reading_nine(kafka)
    with closing(log):
        log.commit([], {partition: 3})
        real = log._consumer.poll

        def taken(**asked: object) -> object:
            real(**asked)
            raise KafkaConnectionError("cut")

        log.seek({partition: None})
        monkeypatch.setattr(log._consumer, "poll", taken)
        with pytest.raises(RetryLater):
            log.poll(1.0, 4)
        monkeypatch.undo()
        read = [record.offset for _ in range(20) for record in log.poll(0.2, 10)]
    assert read == [3, 4, 5, 6, 7, 8]


def reading_nine(kafka: str) -> tuple[Partition, KafkaLog]:
    """Return a log that has read the nine records of a new topic's only partition."""
    topic = f"t-{uuid4().hex[:8]}"
    create_topics(kafka, [topic], compacted=(), partitions=1, replication=1)
    with closing(KafkaWriter(kafka, topic)) as writer:
        writer.write(messages(topic, 9))
    log = KafkaLog(kafka, group=topic, topics=[topic], instance="one", rebalance=Watcher())
    read: list[int] = []
    for _ in range(100):
        read += [record.offset for record in log.poll(0.2, 10)]
        if len(read) == 9:
            return Partition(topic, 0), log
    raise AssertionError(f"read {read}")


def forget(kafka: str, log: KafkaLog, partition: Partition, *, others_came_to: int) -> None:
    """Put the only member out of its group, as when its session ends, and move the group on."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.remove_group_members(partition.topic, [MemberToRemove(group_instance_id="one")])
    moved = {TopicPartition(*partition): OffsetAndMetadata(others_came_to, "", -1)}
    assert set(admin.alter_group_offsets(partition.topic, moved).values()) == {NoError}
    admin.close()


@contextlib.contextmanager
def two_members(kafka: str) -> Iterator[list[KafkaLog]]:
    """Two logs of one group, over the two partitions of a new topic."""
    topic = f"t-{uuid4().hex[:8]}"
    create_topics(kafka, [topic], compacted=(), partitions=2, replication=1)
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                closing(KafkaLog(kafka, group=topic, topics=[topic], instance=name, rebalance=Watcher()))
            )
            for name in ("a", "b")
        ]


def polls_by_turns(logs: Sequence[KafkaLog]) -> Iterator[int]:
    for turn in range(100):
        for log in logs:
            log.poll(0.2, 10)
        yield turn


def at_rest(log: KafkaLog) -> bool:
    coordinator = log._consumer._coordinator
    joining = coordinator.rejoin_needed or coordinator._join_task is not None
    return log._member.state is MemberState.STABLE and not joining and bool(log._consumer.assignment())


def poll_for(log: KafkaLog, ready: Callable[[], bool]) -> None:
    for _ in range(100):
        log.poll(0.2, 10)
        if ready():
            return
    raise AssertionError("it did not come to that")
