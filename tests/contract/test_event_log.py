"""What every event log promises, asked of Kafka itself and of its memory twin."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from pipeline.adapters.kafka import KafkaBrowser, KafkaLog, KafkaWriter, create_topics
from pipeline.adapters.memory import MemoryBroker, MemoryBrowser, MemoryLog, MemoryWriter
from pipeline.errors import Fenced, RetryLater
from pipeline.ports import EventLog, LogBrowser, Message, Partition, Record
from pipeline.progress import has_passed, remaining
from tests.fixtures.servers import free_ports, start_kafka


class Watcher:
    """A rebalance listener that starts where it is told and notes what it was given."""

    def __init__(self, starts: Mapping[Partition, int] | None = None) -> None:
        self.starts = starts or {}
        self.owned: set[Partition] = set()

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        self.owned |= set(partitions)
        return {p: self.starts[p] for p in partitions if p in self.starts}

    def revoked(self, partitions: Sequence[Partition]) -> None:
        self.owned -= set(partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        self.revoked(partitions)


class World(NamedTuple):
    topic: str
    out: str
    browser: LogBrowser
    open_log: Callable[..., EventLog]
    lose_answers: Callable[[Any], None]
    write: Callable[[Sequence[Message]], None]


@pytest.fixture(params=["memory", "kafka"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    name = f"t-{uuid4().hex[:8]}"
    topic, out = f"{name}.in", f"{name}.out"
    opened: list[EventLog] = []
    if request.param == "memory":
        broker = MemoryBroker({topic: 2, out: 2})

        def open_memory(watcher: Watcher, instance: str = "a", group: str = name, **more: int) -> EventLog:
            opened.append(MemoryLog(broker, group=group, topics=[topic], instance=instance, rebalance=watcher, **more))
            return opened[-1]

        def lose(_: Any) -> None:
            broker.loses_answers = True

        yield World(topic, out, MemoryBrowser(broker), open_memory, lose, MemoryWriter(broker, "seed").write)
        return
    bootstrap: str = request.getfixturevalue("kafka")
    create_topics(bootstrap, [topic, out], compacted=[], partitions=2, replication=1)

    def open_kafka(watcher: Watcher, instance: str = "a", group: str = name, **more: int) -> EventLog:
        opened.append(KafkaLog(bootstrap, group=group, topics=[topic], instance=instance, rebalance=watcher, **more))
        return opened[-1]

    writer, browser = KafkaWriter(bootstrap, f"seed-{name}"), KafkaBrowser(bootstrap)

    def lose_answers(log: Any) -> None:
        transact = log._writer._transact

        def unheard(*what: Any) -> None:
            transact(*what)
            raise KafkaTimeoutError("the answer was lost")

        log._writer._transact = unheard

    yield World(topic, out, browser, open_kafka, lose_answers, writer.write)
    for log in opened:
        log.close()
    writer.close()
    browser.close()


def messages(topic: str, count: int) -> list[Message]:
    return [Message(topic, f"k{n}".encode(), (("ce_id", b"%d" % n),), b"v%d" % n) for n in range(count)]


def poll_until(log: EventLog, enough: Callable[[list[Record]], bool], tries: int = 60) -> list[Record]:
    got: list[Record] = []
    for _ in range(tries):
        got += log.poll(0.5, 10)
        if enough(got):
            return got
    raise AssertionError(f"after {tries} polls there are only {len(got)} records")


def ends(records: Sequence[Record]) -> dict[Partition, int]:
    return {Partition(r.topic, r.partition): r.offset + 1 for r in records}


def everything(browser: LogBrowser, topic: str) -> list[Record]:
    return [r for p, (start, end) in browser.bounds(topic).items() for r in browser.read(p, start, end)]


def test_what_is_written_is_read_in_order_with_key_headers_and_value(world: World) -> None:
    sent = messages(world.topic, 25)
    world.write(sent)
    got = poll_until(world.open_log(Watcher()), lambda rs: len(rs) >= 25)
    assert sorted((r.key, r.headers, r.value) for r in got) == sorted((m.key, m.headers, m.value) for m in sent)
    for number in (0, 1):
        offsets = [r.offset for r in got if r.partition == number]
        assert offsets == sorted(set(offsets))


def test_one_key_stays_in_one_partition(world: World) -> None:
    world.write([m._replace(key=b"same") for m in messages(world.topic, 6)])
    world.write([m._replace(key=b"same") for m in messages(world.topic, 6)])
    assert len({r.partition for r in everything(world.browser, world.topic)}) == 1


def test_a_poll_returns_no_more_than_its_limit(world: World) -> None:
    world.write(messages(world.topic, 25))
    log = world.open_log(Watcher())
    sizes = [len(log.poll(0.5, 7)) for _ in range(20)]
    assert max(sizes) <= 7
    assert sum(sizes) == 25


def test_a_poll_returns_no_more_bytes_than_the_log_was_opened_for_and_loses_nothing(world: World) -> None:
    sizes = [300, 10, 5_000, 900, 400, 700, 20, 3_000, 10, 990, 500, 499]
    sent = [Message(world.topic, b"", (), b"x" * size, partition=n % 2) for n, size in enumerate(sizes)]
    world.write(sent)
    log = world.open_log(Watcher(), batch_bytes=1_000)
    batches: list[list[Record]] = []
    for _ in range(80):
        batches.append(log.poll(0.5, 100))
        if sum(len(batch) for batch in batches) == len(sizes):
            break
    for batch in batches:
        assert len(batch) <= 1 or sum(len(r.value) for r in batch) <= 1_000
    for number in (0, 1):
        read = [len(r.value) for batch in batches for r in batch if r.partition == number]
        assert read == sizes[number::2]
    assert any(len(batch) > 1 for batch in batches)


def test_a_record_larger_than_everything_the_log_was_opened_for_is_read_all_the_same(world: World) -> None:
    big = b"%d" % 7 * (6 * 2**20)
    world.write([Message(world.topic, b"", (), value, partition=0) for value in (b"small", big, b"after")])
    log = world.open_log(Watcher(), batch_bytes=1_000)
    got = poll_until(log, lambda rs: len(rs) >= 3)
    assert [r.value for r in got] == [b"small", big, b"after"]


def test_what_did_not_fit_into_a_batch_is_not_handed_out_after_a_seek(world: World) -> None:
    world.write([Message(world.topic, b"", (), b"x" * 600, partition=0) for _ in range(5)])
    log = world.open_log(Watcher(), batch_bytes=1_000)
    assert [r.offset for r in poll_until(log, lambda rs: len(rs) >= 2)] == [0, 1]
    log.seek({Partition(world.topic, 0): 4})
    assert [r.offset for r in poll_until(log, bool)] == [4]
    log.seek({Partition(world.topic, 0): 0})
    assert [r.offset for r in poll_until(log, lambda rs: len(rs) >= 5)] == [0, 1, 2, 3, 4]


def test_what_did_not_fit_into_a_batch_goes_to_the_next_owner(world: World) -> None:
    world.write([Message(world.topic, b"", (), b"x" * 600, partition=0) for _ in range(5)])
    first = world.open_log(Watcher(), batch_bytes=1_000)
    got = poll_until(first, lambda rs: len(rs) >= 2)
    first.commit([], ends(got))
    first.close()
    rest = poll_until(world.open_log(Watcher(), "b", batch_bytes=1_000), lambda rs: len(rs) >= 3)
    assert [r.offset for r in rest] == [2, 3, 4]


def test_commit_moves_the_group_and_publishes_together(world: World) -> None:
    world.write(messages(world.topic, 10))
    log = world.open_log(Watcher())
    got = poll_until(log, lambda rs: len(rs) >= 10)
    log.commit([Message(world.out, r.key, r.headers, r.value) for r in got], ends(got))
    assert len(everything(world.browser, world.out)) == 10
    log.close()
    again = world.open_log(Watcher())
    assert [again.poll(0.5, 10) for _ in range(4)] == [[]] * 4


def test_what_was_not_committed_is_read_again_by_the_next_member(world: World) -> None:
    world.write(messages(world.topic, 10))
    log = world.open_log(Watcher())
    poll_until(log, lambda rs: len(rs) >= 10)
    log.close()
    assert len(poll_until(world.open_log(Watcher()), lambda rs: len(rs) >= 10)) == 10


def test_a_member_starts_where_its_owner_says(world: World) -> None:
    world.write([m._replace(partition=0) for m in messages(world.topic, 10)])
    log = world.open_log(Watcher({Partition(world.topic, 0): 7}))
    assert [r.offset for r in poll_until(log, lambda rs: len(rs) >= 3)] == [7, 8, 9]


def test_seek_reads_again(world: World) -> None:
    world.write([m._replace(partition=1) for m in messages(world.topic, 5)])
    log = world.open_log(Watcher())
    poll_until(log, lambda rs: len(rs) >= 5)
    log.seek({Partition(world.topic, 1): 2})
    assert [r.offset for r in poll_until(log, lambda rs: len(rs) >= 3)] == [2, 3, 4]


def test_a_commit_whose_answer_was_lost_shows_in_the_groups_position(world: World) -> None:
    world.write([m._replace(partition=1) for m in messages(world.topic, 5)])
    log = world.open_log(Watcher())
    got = poll_until(log, lambda rs: len(rs) >= 5)
    log.seek({Partition(world.topic, 1): None})
    assert len(poll_until(log, lambda rs: len(rs) >= 5)) == 5
    world.lose_answers(log)
    with pytest.raises(RetryLater):
        log.commit([Message(world.out, b"k", (), b"done")], ends(got[:3]))
    log.seek({Partition(world.topic, 1): None})
    assert [r.offset for r in poll_until(log, lambda rs: len(rs) >= 2)] == [3, 4]
    assert [r.value for r in everything(world.browser, world.out)] == [b"done"]


def test_a_second_bearer_of_the_same_instance_fences_the_first(world: World) -> None:
    world.write(messages(world.topic, 4))
    old = world.open_log(Watcher())
    got = poll_until(old, lambda rs: len(rs) >= 4)
    old.commit([Message(world.out, b"k", (), b"before")], {})
    new = world.open_log(Watcher())
    new.commit([Message(world.out, b"k", (), b"new")], {})
    with pytest.raises(Fenced):
        old.commit([Message(world.out, b"k", (), b"zombie")], ends(got))
    assert sorted(r.value for r in everything(world.browser, world.out)) == [b"before", b"new"]


def test_two_members_share_the_partitions(world: World) -> None:
    first, second = Watcher(), Watcher()
    one, two = world.open_log(first, "a"), world.open_log(second, "b")
    for _ in range(60):
        one.poll(0.2, 10)
        two.poll(0.2, 10)
        if len(first.owned) == len(second.owned) == 1:
            break
    assert first.owned | second.owned == {Partition(world.topic, 0), Partition(world.topic, 1)}
    assert not first.owned & second.owned


def test_progress_counts_records_not_offsets(world: World) -> None:
    for _ in range(3):
        world.write(messages(world.topic, 4))
    until = {p: end for p, (_, end) in world.browser.bounds(world.topic).items()}
    log = world.open_log(Watcher(), group=f"{world.topic}-group")
    assert remaining(world.browser, {}, until) == 12
    assert not has_passed(world.browser, f"{world.topic}-group", until)
    got = poll_until(log, lambda rs: len(rs) >= 12)
    log.commit([], ends(got))
    assert has_passed(world.browser, f"{world.topic}-group", until)


def test_a_read_left_in_the_middle_spoils_none_that_follows(world: World) -> None:
    world.write(messages(world.topic, 200))
    for partition, (start, end) in world.browser.bounds(world.topic).items():
        whole = [record.offset for record in world.browser.read(partition, start, end)]
        begun = [next(world.browser.read(partition, start, end)).offset for _ in range(3)]
        assert begun == [whole[0]] * 3
        assert [r.offset for r in world.browser.read(partition, whole[4], end)] == whole[4:]
        ahead = world.browser.read(partition, whole[1], end)
        both = [(one.offset, next(ahead).offset) for one in world.browser.read(partition, start, whole[-1])]
        assert both == list(pairwise(whole))


def test_a_group_that_never_was_has_no_positions(world: World) -> None:
    assert world.browser.committed(f"never-{uuid4().hex}", world.topic) == {}


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


def poll_for(log: KafkaLog, ready: Callable[[], bool]) -> None:
    for _ in range(100):
        log.poll(0.2, 10)
        if ready():
            return
    raise AssertionError("it did not come to that")
