"""Log to store: one chain of segments per partition, through crashes, zombies and rebalances."""

import io
from collections.abc import Mapping
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from pipeline import flow
from pipeline.adapters.memory import MemoryClock
from pipeline.adapters.memory_store import MemoryStore
from pipeline.archive import Archive
from pipeline.errors import Misconfigured, RetryLater
from pipeline.manifest import manifests
from pipeline.ports import Partition
from pipeline.worker import run
from tests.flow.crashing import Crash, CrashingStore
from tests.flow.segments import TOPIC, archived, full, written
from tests.flow.world import drain


def test_every_record_is_in_exactly_one_segment() -> None:
    world = full()
    drain(world.archive(topics=[TOPIC]))
    assert sorted(archived(world)) == sorted(written(world))


def test_a_record_can_be_written_again_exactly_as_it_was() -> None:
    world = full(1)
    drain(world.archive(topics=[TOPIC]))
    (_, manifest), *_ = manifests(world.store, TOPIC)
    (row,) = pq.read_table(io.BytesIO(world.store.get(manifest.tables["records"].key))).to_pylist()
    (record,) = world.records(TOPIC)
    headers = tuple((h["name"], h["value"]) for h in row["headers"])
    assert (row["key"], headers, row["value"]) == (record.key, record.headers, record.value)
    assert row["timestamp"] == record.timestamp


def test_a_segment_closes_by_size_and_by_clock() -> None:
    world = full()
    worker = world.archive(topics=[TOPIC], segment_bytes=1, segment_seconds=1e9)
    worker.work(worker.log.poll(0.5, 100))
    assert worker.buffered == 0
    world.publish([world.raw(n) for n in range(30, 33)])
    patient = world.archive(topics=[TOPIC], instance="b", segment_seconds=2.0)
    worker.finish()
    patient.work(patient.log.poll(0.5, 100))
    assert patient.buffered == 3
    world.clock.sleep(3)
    patient.work([])
    assert patient.buffered == 0
    assert sorted(archived(world)) == sorted(written(world))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])
def test_a_crash_at_any_write_loses_and_doubles_nothing(at: int, after: bool) -> None:
    world = full()
    dying = world.archive(topics=[TOPIC], store=CrashingStore(world.store, at, after=after))
    with pytest.raises(Crash):
        drain(dying)
    world.broker.leave(flow.group("archive"), dying.log)  # type: ignore[arg-type]  # its session ends
    drain(world.archive(topics=[TOPIC], instance="b"))
    assert sorted(archived(world)) == sorted(written(world))


def test_a_zombie_with_the_same_start_loses_the_race_and_goes_on_at_the_winners_end() -> None:
    world = full(12)
    zombie = world.archive(topics=[TOPIC])
    zombie.work(zombie.log.poll(0.5, 6))
    world.broker.leave(flow.group("archive"), zombie.log)  # type: ignore[arg-type]  # it does not know it yet
    winner = world.archive(topics=[TOPIC], instance="b")
    drain(winner)
    world.clock.sleep(10)
    zombie.work([])
    assert zombie.counts["lost_races"] > 0
    assert zombie.counts["segments"] == 0
    assert sorted(archived(world)) == sorted(written(world))


def test_a_revoked_partition_is_flushed_and_the_next_owner_goes_on_behind_it() -> None:
    world = full()
    one = world.archive(topics=[TOPIC])
    one.work(one.log.poll(0.5, 100))
    assert one.buffered == 30
    two = world.archive(topics=[TOPIC], instance="b")
    assert one.buffered < 30
    for worker in (one, two):
        drain(worker)
    assert sorted(archived(world)) == sorted(written(world))


def test_a_lost_partition_is_dropped_and_not_written() -> None:
    world = full()
    worker = world.archive(topics=[TOPIC])
    worker.work(worker.log.poll(0.5, 100))
    worker.lost(world.broker.partitions(TOPIC))
    worker.work([])
    assert worker.buffered == 0
    assert not world.store.objects


def test_a_store_that_is_down_at_a_revocation_leaves_the_records_to_the_next_owner() -> None:
    world = full()
    one = world.archive(topics=[TOPIC])
    one.work(one.log.poll(0.5, 100))
    world.store.down = True
    one.revoked(world.broker.partitions(TOPIC))
    world.store.down = False
    world.broker.leave(flow.group("archive"), one.log)  # type: ignore[arg-type]
    drain(world.archive(topics=[TOPIC], instance="b"))
    assert sorted(archived(world)) == sorted(written(world))


def test_rewinding_reads_again_what_was_not_stored() -> None:
    world = full()
    worker = world.archive(topics=[TOPIC])
    worker.work(worker.log.poll(0.5, 100))
    worker.rewind()
    drain(worker)
    assert sorted(archived(world)) == sorted(written(world))


def test_the_position_comes_from_the_store_not_from_the_group() -> None:
    world = full()
    drain(world.archive(topics=[TOPIC]))
    world.broker.positions(flow.group("archive")).clear()
    again: Archive = world.archive(topics=[TOPIC], instance="b")
    again.work(again.log.poll(0.5, 100))
    assert again.buffered == 0
    assert all(again.positions[p] > 0 for p in again.positions if isinstance(p, Partition))


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_is_set_anew_neither_closes_a_segment_nor_keeps_it_open(jump: int) -> None:
    world = full(6)
    worker = world.archive(topics=[TOPIC], segment_seconds=10.0)
    worker.work(worker.log.poll(0.5, 100))
    day = world.records(TOPIC)[0].timestamp.date().isoformat()
    world.clock._now += timedelta(seconds=jump)
    worker.work([])
    assert worker.buffered == 6
    world.clock.sleep(11)
    worker.work([])
    assert worker.buffered == 0
    assert {manifest.dt for _, manifest in manifests(world.store, TOPIC)} == {day}, "the day is that of the log"


def test_all_buffers_together_hold_no_more_than_they_may_and_the_largest_goes_first() -> None:
    world = full(300)
    worker = world.archive(topics=[TOPIC], segment_seconds=1e9, buffer_bytes=100_000)
    most = 0
    for _ in range(60):
        worker.work(worker.log.poll(0.5, 10))
        most = max(most, worker.buffered)
    assert 10 < most < 100
    assert worker.counts["segments"] > 3
    worker.finish()
    assert sorted(archived(world)) == sorted(written(world))


class FullStore(MemoryStore):
    """Answers every question and takes no writes: its disk is full."""

    tried = 0

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        self.tried += 1
        raise RetryLater("no room")


def test_a_store_that_takes_no_writes_stops_the_reading_not_the_memory() -> None:
    world = full(200)
    full_store = FullStore()
    worker = world.archive(topics=[TOPIC], store=full_store, segment_seconds=1e9, buffer_bytes=100_000)
    with pytest.raises(RetryLater, match="no room"):
        run(worker.log, worker, clock=MemoryClock(), limit=10, stop=lambda: False)
    assert full_store.tried == 8, "after the first failure each try is one small segment, until the worker gives up"
    assert worker.buffered <= 60


def test_a_store_that_comes_back_is_waited_for_and_nothing_is_lost() -> None:
    world = full()
    worker = world.archive(topics=[TOPIC], segment_seconds=1.0)
    pauses: list[float] = []

    class Sleepy(MemoryClock):
        def sleep(self, seconds: float) -> None:
            pauses.append(seconds)
            world.store.down = len(pauses) < 4

    polls = 0

    def caught_up() -> bool:
        nonlocal polls
        polls += 1
        world.store.down = polls == 1
        return polls > 3 and worker.buffered == 0

    run(worker.log, worker, clock=Sleepy(), limit=100, stop=lambda: False, caught_up=caught_up)
    assert len(pauses) >= 3
    assert sorted(archived(world)) == sorted(written(world))


def test_an_archive_refuses_the_bucket_of_another_log() -> None:
    world, other = full(30), full(3)
    drain(world.archive(topics=[TOPIC]))
    other.store = world.store
    before = dict(world.store.objects)
    with pytest.raises(Misconfigured, match=r"up to \d+, the log ends at \d+: .*DEPECHE_S3_BUCKET"):
        drain(other.archive(topics=[TOPIC]))
    assert world.store.objects == before


def test_records_that_the_chain_holds_already_are_not_archived_again() -> None:
    world = full(30)
    worker = world.archive(topics=[TOPIC])
    drain(worker)
    worker.log.seek(dict.fromkeys(worker.positions, 0))
    with pytest.raises(RetryLater, match="which its chain holds up to"):
        drain(worker)
    worker.rewind()
    world.publish([world.raw(n) for n in range(30, 40)])
    drain(worker)
    assert sorted(archived(world)) == sorted(written(world))
