"""Waiting until what was fetched is archived, on a log in memory whose steps work while the wait sleeps."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.adapters.memory import MemoryBroker, MemoryBrowser, MemoryClock
from pipeline.errors import RetryLater
from pipeline.flow import ARCHIVED, ENRICHED, FACTS, FETCHED, NORMALISED, REJECTED, group, rejected
from pipeline.operate.catching_up import as_json, fetched_ends, from_json, wait_until_archived
from pipeline.ports import Message, Partition


class Line(MemoryClock):
    """A line of which each sleep of the waiting one moves one record by one step."""

    def __init__(self, stuck: str | None = None) -> None:
        super().__init__()
        self.broker = MemoryBroker(dict.fromkeys((*FACTS, *REJECTED), 2), self)
        self.browser = MemoryBrowser(self.broker)
        self.chain_ends: dict[Partition, int] = {}
        self._stuck = stuck
        self.back_at = 0.0

    def fetch(self, *keys: str) -> None:
        for number, key in enumerate(keys):
            self.broker.append(Message(FETCHED, key.encode(), (), b"", number % 2))

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.broker.down = self.monotonic() < self.back_at
        steps: list[Callable[[], bool]] = [self._archive, self._enrich, self._normalise]
        any(step() for step in steps)

    def _normalise(self) -> bool:
        return self._move("normalise", FETCHED, NORMALISED)

    def _enrich(self) -> bool:
        return self._move("enrich", NORMALISED, ENRICHED)

    def _move(self, step: str, reads: str, writes: str) -> bool:
        positions = self.broker.positions(group(step))
        for partition in self.broker.partitions(reads):
            at = positions.get(partition, 0)
            if step != self._stuck and at < len(self.broker.records(partition)):
                key = self.broker.records(partition)[at].key
                topic = rejected(reads) if key.startswith(b"bad") else writes
                self.broker.append(Message(topic, key, (), b"", partition.number))
                positions[partition] = at + 1
                return True
        return False

    def _archive(self) -> bool:
        for partition in (p for topic in ARCHIVED for p in self.broker.partitions(topic)):
            end = len(self.broker.records(partition))
            if self._stuck != "archive" and self.chain_ends.get(partition, 0) < end:
                self.chain_ends[partition] = end
                return True
        return False

    def wait(self, ends: dict[str, int], timeout: float = 60) -> dict[str, Any]:
        return wait_until_archived(
            ends,
            browser=self.browser,
            archived=lambda p: self.chain_ends.get(p, 0),
            clock=self,
            timeout=timeout,
        )


def test_ends_survive_json_and_a_name_that_is_no_partition_is_refused() -> None:
    ends = {Partition(FETCHED, 1): 7, Partition(FETCHED, 0): 3}
    assert as_json(ends) == {f"{FETCHED}[0]": 3, f"{FETCHED}[1]": 7}
    assert from_json(as_json(ends)) == ends
    with pytest.raises(ValueError, match="topic\\[number\\]"):
        from_json({FETCHED: 3})


def test_the_wait_ends_when_every_article_and_every_rejection_is_in_a_segment() -> None:
    line = Line()
    line.fetch("a", "bad-b", "c")
    done = line.wait(fetched_ends(line.browser))

    assert list(done["passed_after_seconds"]) == ["normalise", "enrich", "archive"]
    assert done["archived"] == {
        f"{FETCHED}[0]": 2,
        f"{FETCHED}[1]": 1,
        f"{ENRICHED}[0]": 2,
        f"{ENRICHED}[1]": 0,
        f"{FETCHED}.rejected[0]": 0,
        f"{FETCHED}.rejected[1]": 1,
        f"{NORMALISED}.rejected[0]": 0,
        f"{NORMALISED}.rejected[1]": 0,
        f"{ENRICHED}.rejected[0]": 0,
        f"{ENRICHED}.rejected[1]": 0,
    }
    assert all(line.chain_ends.get(p, 0) >= end for p, end in from_json(done["archived"]).items())


def test_what_is_fetched_after_the_ends_were_taken_is_not_waited_for() -> None:
    line = Line()
    line.fetch("a")
    ends = fetched_ends(line.browser)
    line.fetch("later", "later")
    assert line.wait(ends)["archived"][f"{FETCHED}[0]"] == 1


def test_waiting_again_with_the_same_ends_returns_at_once() -> None:
    line = Line()
    line.fetch("a", "b")
    ends = fetched_ends(line.browser)
    line.wait(ends)
    before = line.monotonic()
    line.wait(ends)
    assert line.monotonic() == before


def test_an_offset_that_only_a_transaction_marker_holds_is_not_waited_for() -> None:
    line = Line()
    line.fetch("a")
    line.wait(fetched_ends(line.browser))
    assert line.wait({f"{FETCHED}[0]": 2}, timeout=0)["archived"][f"{FETCHED}[0]"] == 2


@pytest.mark.parametrize(("stuck", "topic"), [("normalise", FETCHED), ("enrich", NORMALISED), ("archive", FETCHED)])
def test_a_step_that_stands_still_is_named_with_what_it_has_left(stuck: str, topic: str) -> None:
    line = Line(stuck)
    line.fetch("a", "b", "c")
    with pytest.raises(RetryLater) as failure:
        line.wait(fetched_ends(line.browser), timeout=30)
    assert str(failure.value).startswith(f"{stuck} still has ")
    assert f"2 in {topic}[0], 1 in {topic}[1]" in str(failure.value)
    assert f"depeche run {stuck}" in str(failure.value)
    assert line.monotonic() >= 30


def test_a_broker_that_comes_back_in_time_costs_nothing_and_one_that_does_not_is_named() -> None:
    line = Line()
    line.fetch("a")
    ends = fetched_ends(line.browser)
    line.broker.down, line.back_at = True, 5.0
    assert line.wait(ends)["archived"][f"{ENRICHED}[0]"] == 1
    assert line.monotonic() >= 5

    line.broker.down, line.back_at = True, 1000.0
    with pytest.raises(RetryLater, match="the broker is down"):
        line.wait(ends)
