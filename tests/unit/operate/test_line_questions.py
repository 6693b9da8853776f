"""What people ask a running line: status, doctor, preflight."""

import pytest

from pipeline import flow
from pipeline.errors import DepecheError
from pipeline.operate import doctor
from pipeline.operate.preflight import DISK_NEEDED, MEMORY_NEEDED, obstacles
from pipeline.operate.status import status
from tests.flow.world import World, with_a_rejection


@pytest.fixture
def world() -> World:
    return with_a_rejection()


def test_status_counts_what_each_step_has_before_it(world: World) -> None:
    found = status(world.browser, archived=lambda ps: dict.fromkeys(ps, 0), now=world.clock.now())
    lags = {row["step"]: row["lag"] for row in found["steps"]}
    assert lags == {"normalise": 0, "enrich": 4, "archive": 5 + 1}
    assert found["topics"][flow.FETCHED] == 5
    assert found["rejected"] == {"normalise": {"not_french": 1}}
    rates = {row["step"]: row["records_last_minute"] for row in found["steps"]}
    assert rates["normalise"] == 5


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
