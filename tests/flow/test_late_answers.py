"""Zombies, lost answers and writes that arrive late change nothing in a chain of segments."""

from collections.abc import Mapping

import pytest

from pipeline import flow
from pipeline.adapters.memory_store import MemoryStore
from pipeline.archive import Archive
from pipeline.errors import RetryLater
from tests.flow.segments import TOPIC, archived, full, written
from tests.flow.world import World, drain


class DeafStore(MemoryStore):
    """Takes every write, and says of those that match that the name was taken: its first answer was lost."""

    def __init__(self, inner: MemoryStore, prefix: str) -> None:
        super().__init__()
        self.objects = inner.objects
        self._prefix = prefix

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        stored = super().create(key, data, metadata)
        return stored and not key.startswith(self._prefix)


@pytest.mark.parametrize("prefix", ["log/", "data/"], ids=["manifest", "file"])
def test_a_write_that_was_taken_but_answered_as_a_double_is_known_as_our_own(prefix: str) -> None:
    world = full()
    worker = world.archive(topics=[TOPIC], store=DeafStore(world.store, prefix))
    drain(worker)
    assert worker.counts == {"segments": 3, "records": 30, "lost_races": 0}
    assert sorted(archived(world)) == sorted(written(world))


class LateStore(MemoryStore):
    """The first write of a manifest gets no answer and takes effect only when `arrive` is called."""

    def __init__(self, inner: MemoryStore) -> None:
        super().__init__()
        self.objects = inner.objects
        self._late: list[tuple[str, bytes]] = []
        self._waited = False

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        if key.startswith("log/") and not self._waited:
            self._waited = True
            self._late.append((key, data))
            raise RetryLater("no answer in time")
        return super().create(key, data, metadata)

    def arrive(self) -> list[bool]:
        return [super(LateStore, self).create(*each) for each in self._late]


def late(world: World) -> tuple[Archive, LateStore]:
    """Return a worker that has tried to close its first segment in vain, and read on from the chain's end."""
    slow = LateStore(world.store)
    worker = world.archive(topics=[TOPIC], store=slow, segment_bytes=1)
    with pytest.raises(RetryLater):
        worker.work(worker.log.poll(0.5, 6))
    return worker, slow


def test_a_write_that_arrives_after_another_writer_went_on_changes_nothing() -> None:
    world = full(12)
    worker, slow = late(world)
    world.broker.leave(flow.group("archive"), worker.log)  # type: ignore[arg-type]
    drain(world.archive(topics=[TOPIC], instance="b"))
    before = dict(world.store.objects)
    assert slow.arrive() == [False]
    assert world.store.objects == before
    worker.rewind()
    drain(worker)
    assert sorted(archived(world)) == sorted(written(world))


@pytest.mark.parametrize("when", ["before the rewind", "after it", "after the next records were read"])
def test_a_write_that_arrives_late_is_a_segment_like_any_other(when: str) -> None:
    world = full(12)
    worker, slow = late(world)
    if when == "before the rewind":
        assert slow.arrive() == [True]
    worker.rewind()
    if when == "after it":
        assert slow.arrive() == [True]
    if when == "after the next records were read":
        records = worker.log.poll(0.5, 12)
        assert slow.arrive() == [True]
        worker.work(records)
    drain(worker)
    assert sorted(archived(world)) == sorted(written(world))


def test_a_zombie_whose_segment_ends_elsewhere_changes_nothing_and_goes_on_at_the_winners_end() -> None:
    world = full(60)
    zombie = world.archive(topics=[TOPIC])
    zombie.work(zombie.log.poll(0.5, 5))
    world.broker.leave(flow.group("archive"), zombie.log)  # type: ignore[arg-type]
    winner = world.archive(topics=[TOPIC], instance="b", segment_bytes=1)
    winner.work(winner.log.poll(0.5, 9))  # the same start, another end
    before = {key: stored for key, stored in world.store.objects.items() if key.startswith("log/")}
    world.clock.sleep(10)
    zombie.work([])
    assert zombie.counts["lost_races"] == 1
    assert {key: stored for key, stored in world.store.objects.items() if key.startswith("log/")} == before
    for worker in (winner, zombie):
        drain(worker)
    assert sorted(archived(world)) == sorted(written(world))
