"""What every event log promises, asked of Kafka itself and of its memory twin."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from kafka.errors import KafkaTimeoutError

from pipeline.adapters.kafka import KafkaBrowser, KafkaLog, KafkaWriter, create_topics
from pipeline.adapters.memory import MemoryBroker, MemoryBrowser, MemoryLog, MemoryWriter
from pipeline.errors import Fenced, RetryLater
from pipeline.ports import EventLog, LogBrowser, Message, Partition, Record
from pipeline.progress import has_passed, remaining
from tests.fixtures.logs import Watcher, everything, messages


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


def poll_until(log: EventLog, enough: Callable[[list[Record]], bool], tries: int = 60) -> list[Record]:
    got: list[Record] = []
    for _ in range(tries):
        got += log.poll(0.5, 10)
        if enough(got):
            return got
    raise AssertionError(f"after {tries} polls there are only {len(got)} records")


def ends(records: Sequence[Record]) -> dict[Partition, int]:
    return {Partition(r.topic, r.partition): r.offset + 1 for r in records}


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
