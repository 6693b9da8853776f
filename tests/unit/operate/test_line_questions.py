"""What people ask a running line: rejected, status, doctor, preflight."""

from datetime import UTC, datetime

import pytest

from pipeline import codec, flow
from pipeline.adapters.memory_store import MemoryStore
from pipeline.errors import DepecheError, Flaw
from pipeline.operate import doctor, rejected
from pipeline.operate.preflight import DISK_NEEDED, MEMORY_NEEDED, obstacles
from pipeline.operate.status import status
from pipeline.ports import Message
from tests.flow.world import World, drain

ENGLISH = "The minister said on Tuesday that talks would resume next week in the capital of the country."


@pytest.fixture
def world() -> World:
    made = World()
    made.publish([made.raw(n) for n in range(4)])
    made.publish([made.raw(9, ENGLISH)])
    normalised(made)
    return made


def normalised(world: World) -> None:
    worker = world.transform("normalise")
    drain(worker)
    worker.finish()


def test_rejections_are_counted_by_stage_and_reason(world: World) -> None:
    assert rejected.counts(rejected.entries(world.browser)) == {"normalise": {"not_french": 1}}


def test_a_rejection_is_found_by_how_its_id_begins(world: World) -> None:
    (entry,) = rejected.entries(world.browser)
    assert rejected.find(world.browser, entry.envelope.id[:8]) == entry
    assert ENGLISH.encode() in codec_body(entry)
    with pytest.raises(DepecheError, match="0 rejections"):
        rejected.find(world.browser, "nothing")


def codec_body(entry: rejected.Entry) -> bytes:
    heads = tuple((name, value.encode()) for name, value in entry.data.original_headers.items())
    event = codec.decode(codec.Wire(b"", heads, entry.data.original))
    assert not isinstance(event, Flaw)
    body: bytes = event.data.body  # type: ignore[union-attr]
    return body


def test_a_retry_is_a_new_event_caused_by_the_rejection_and_can_be_recognised(world: World) -> None:
    (entry,) = rejected.entries(world.browser)
    message = rejected.again(entry)
    assert (message.topic, message.value) == (flow.FETCHED, entry.data.original)
    assert entry.envelope.id not in rejected.retried(world.browser, flow.FETCHED)
    world.broker.append(message)
    assert entry.envelope.id in rejected.retried(world.browser, flow.FETCHED)
    ids = [event.envelope.id for event in world.events(flow.FETCHED)]
    assert len(ids) == len(set(ids)) == 6
    normalised(world)
    assert rejected.counts(rejected.entries(world.browser)) == {"normalise": {"not_french": 2}}


def test_what_was_kept_only_in_part_is_not_tried_again(world: World) -> None:
    world.broker.append(Message(flow.FETCHED, b"k", (), b"x" * (9 * 2**20), partition=0))
    normalised(world)
    entry = next(e for e in rejected.entries(world.browser) if e.data.reason == "undecodable")
    assert (len(entry.data.original), entry.data.original_size) == (8 * 2**20, 9 * 2**20)
    with pytest.raises(DepecheError, match="bytes were kept"):
        rejected.again(entry)


def test_status_counts_what_each_step_has_before_it(world: World) -> None:
    found = status(world.browser, archived=lambda ps: dict.fromkeys(ps, 0), now=world.clock.now())
    lags = {row["step"]: row["lag"] for row in found["steps"]}
    assert lags == {"normalise": 0, "enrich": 4, "archive": 5 + 1}
    assert found["topics"][flow.FETCHED] == 5
    assert found["rejected"] == {"normalise": {"not_french": 1}}
    rates = {row["step"]: row["records_last_minute"] for row in found["steps"]}
    assert rates["normalise"] == 5


def test_a_store_that_keeps_its_promise_passes_the_probe() -> None:
    assert "exactly-once" in doctor.conditional_writes(MemoryStore())


def test_a_store_that_ignores_conditional_headers_is_refused() -> None:
    class Careless(MemoryStore):
        def create(self, key: str, data: bytes, metadata: object = None) -> bool:
            self.objects[key] = (data, {}, datetime.now(UTC))
            return True

    with pytest.raises(DepecheError, match="cannot be promised"):
        doctor.conditional_writes(Careless())


def test_missing_topics_are_named(world: World) -> None:
    assert "8 topics" in doctor.topics(world.browser)
    empty = World()
    empty.broker._records.clear()
    with pytest.raises(DepecheError, match=r"missing topics: news\.article\.fetched"):
        doctor.topics(empty.browser)


def test_an_examination_turns_our_errors_into_findings() -> None:
    def broken() -> str:
        raise DepecheError("no; do this")

    assert doctor.examine("x", broken) == doctor.Finding("x", "error", "no; do this")
    assert doctor.examine("x", lambda: "fine").level == "ok"


def test_nothing_in_the_way_gives_no_sentence() -> None:
    assert obstacles(taken_ports={}, memory_free=MEMORY_NEEDED, disk_free=DISK_NEEDED, folder="f") == []


def test_each_thing_in_the_way_gives_one_sentence_with_its_remedy() -> None:
    found = obstacles(taken_ports={"DEPECHE_KAFKA_PORT": [9092]}, memory_free=1, disk_free=1, folder="here")
    port, memory, disk = found
    assert "9092" in port
    assert "DEPECHE_KAFKA_PORT" in port
    assert "memory" in memory
    assert "here" in disk
    assert "DEPECHE_HOME" in disk
