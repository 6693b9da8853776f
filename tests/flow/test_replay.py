"""The archive again: each fetched record has exactly one outcome in the new version, whatever is killed."""

from collections.abc import Iterator, Mapping

import pytest
from msgspec import structs

from pipeline import flow, versions
from pipeline.adapters.memory import MemoryBrowser
from pipeline.adapters.memory_store import MemoryStore
from pipeline.archive import Archive
from pipeline.errors import DepecheError, RetryLater
from pipeline.operate.verify import verify
from pipeline.ports import Message, Partition, Record
from pipeline.replay.reader import Steps
from tests.flow.crashing import Crash, CrashingStore
from tests.flow.replayed import Line, Shortened
from tests.flow.world import drain

DENIAL = "Le ministre a démenti mardi avoir accusé la Russie, selon son cabinet à Paris."
ENGLISH = "The minister said on Tuesday that talks would resume next week in the capital of the country."


@pytest.fixture
def line() -> Line:
    """A line whose archive ends before its log does: revisions, a repetition, a withdrawal, a rejection in it."""
    made = Line()
    made.publish([made.raw(n) for n in range(12)])
    made.publish([made.raw(1, DENIAL), made.raw(2)])
    made.live()
    made.withdraw(3)
    made.publish([made.raw(4, DENIAL), made.raw(20, ENGLISH), made.raw(21)])
    made.broker.append(Message(flow.FETCHED, b"k", (), b"\xff", partition=0))
    return made


def archive_only(line: Line) -> None:
    """Let the archive hold everything."""
    line.live("archive")


def told(line: Line, version: str = "v2") -> list[tuple[object, ...]]:
    """Return what a version says of each input, in order."""
    names = ("partition", "log_offset", "outcome", "stage", "reason", "article_id", "revision", "withdrawn")
    return sorted(tuple(str(row[name]) for name in names) for row in line.rows("outcomes", version))


def test_every_fetched_record_has_one_outcome(line: Line) -> None:
    counts = line.replay().run()
    assert line.outcomes() == line.inputs()
    assert counts["emitted"] + counts["unchanged"] + counts["rejected"] == len(line.inputs())
    assert (counts["unchanged"], counts["rejected"]) == (1, 2)
    reasons = {row["reason"] for row in line.rows("outcomes")} - {None}
    assert reasons == {"not_french", "undecodable"}


def test_the_same_code_and_model_give_the_same_event_ids_as_the_live_line(line: Line) -> None:
    line.live()
    line.replay(model=line.model).run()
    ids = {row["source_event_id"] for row in line.rows("articles")}
    assert ids == {row["source_event_id"] for row in line.rows("articles", versions.LIVE)}
    events = {row["event_id"] for row in line.rows("events")}
    assert events == {row["event_id"] for row in line.rows("events", versions.LIVE)} != set()


def test_another_model_gives_other_events_and_the_live_version_stays_as_it_was(line: Line) -> None:
    line.live()
    before = {key: value for key, value in line.store.objects.items() if not key.startswith(("versions/", "cards/"))}
    line.replay().run()
    assert {row["type"] for row in line.rows("events")} == {"ASSAULT"}
    assert {row["type"] for row in line.rows("events", versions.LIVE)} == {"ACCUSE"}
    assert {k: v for k, v in line.store.objects.items() if not k.startswith(("versions/", "cards/"))} == before
    assert verify(line.store, line.browser).sound


def test_a_version_is_a_sound_archive_by_itself(line: Line) -> None:
    line.replay().run()
    verdict = verify(versions.view(line.store, "v2"))
    assert verdict.sound, verdict.faults


def test_what_the_log_lost_is_read_from_the_archive_and_the_rest_from_the_log(line: Line) -> None:
    line.replay("whole").run()
    end = min(chain.end for chain in line.segments_of_fetched())
    line.replay(browser=Shortened(line, end)).run()
    assert told(line) == told(line, "whole")
    assert line.outcomes() == line.inputs()


def test_what_neither_archive_nor_log_has_is_a_fault_and_not_a_gap(line: Line) -> None:
    with pytest.raises(DepecheError, match="the archive ends at"):
        line.replay(browser=Shortened(line, 1_000)).run()


def test_the_archive_is_read_first(line: Line) -> None:
    archive_only(line)

    class Silent(MemoryBrowser):
        def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
            raise AssertionError("the archive has it all")

    line.replay(browser=Silent(line.broker)).run()
    assert line.outcomes() == line.inputs()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 33, 2))
def test_a_kill_at_any_write_loses_and_doubles_nothing(line: Line, at: int, after: bool) -> None:
    line.replay("whole", segment_bytes=1).run()
    dying = line.replay(store=CrashingStore(line.store, at, after=after), segment_bytes=1)
    with pytest.raises(Crash):
        dying.run()
    line.replay(segment_bytes=1).run()
    assert line.outcomes() == line.inputs()
    assert told(line) == told(line, "whole")


@pytest.mark.parametrize("at", range(1, 18))
def test_a_kill_in_the_midst_of_reading_loses_and_doubles_nothing(line: Line, at: int) -> None:
    line.replay("whole").run()
    left = at

    def stop() -> bool:
        return False

    right = line.steps_by(line.other)

    def dying(batch, states, now):  # type: ignore[no-untyped-def]
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash
        return right.normalise(batch, states, now)

    with pytest.raises(Crash):
        line.replay(steps=Steps(dying, right.enrich), segment_bytes=1).run(stop=stop)
    line.replay().run()
    assert line.outcomes() == line.inputs()
    assert told(line) == told(line, "whole")


def test_two_replays_of_one_version_at_once_give_one_chain(line: Line) -> None:
    line.replay("whole").run()

    class Raced(MemoryStore):
        """Where another replay closes a longer segment just before this one does, three times."""

        races = 0

        def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
            if "/log/" in key and self.races < 3:
                self.races += 1
                taken = iter(range(4))
                line.replay(segment_bytes=10**9).run(stop=lambda: next(taken, None) is None)
            return super().create(key, data, metadata)

    raced = Raced()
    raced.objects = line.store.objects
    counts = line.replay(store=raced, segment_bytes=1).run()
    assert counts["lost_races"] > 0
    assert line.outcomes() == line.inputs()
    assert told(line) == told(line, "whole")


def test_replays_that_share_the_partitions_make_one_version(line: Line) -> None:
    line.replay("whole").run()
    line.replay(only=[1]).run()
    assert {partition for partition, _ in line.outcomes()} == {1}
    line.replay(only=[0, 2]).run()
    assert told(line) == told(line, "whole")


def test_what_comes_in_meanwhile_is_read_too(line: Line) -> None:
    right = line.steps_by(line.other)
    more = iter(range(30, 36))

    def busy(batch, states, now):  # type: ignore[no-untyped-def]
        if (n := next(more, None)) is not None:
            line.publish([line.raw(n)])
            line.live("normalise", "archive")
        return right.enrich(batch, states, now)

    line.replay(steps=Steps(right.normalise, busy)).run()
    assert line.outcomes() == line.inputs()
    assert len(line.inputs()) == 19 + 6


def test_a_log_that_never_rests_is_read_so_many_rounds(line: Line) -> None:
    steps = line.steps_by(line.other)

    def busy(batch, states, now):  # type: ignore[no-untyped-def]
        line.publish([line.raw(100 + len(line.inputs()))])
        return steps.normalise(batch, states, now)

    line.replay(steps=Steps(busy, steps.enrich)).run(rounds=2)
    assert set(line.outcomes()) < set(line.inputs())
    assert len(line.outcomes()) > 19


def test_following_goes_on_until_it_is_stopped(line: Line) -> None:
    looks = 0

    def stop() -> bool:
        nonlocal looks
        looks += 1
        if looks == 40:
            line.publish([line.raw(50)])
        return looks > 80

    line.replay(segment_seconds=2.0).run(stop=stop, follow=True)
    assert line.outcomes() == line.inputs()


def test_a_stopped_replay_keeps_what_it_did_and_the_next_goes_on(line: Line) -> None:
    taken = iter(range(100))
    counts = line.replay().run(stop=lambda: next(taken) > 6)
    done = line.outcomes()
    assert 0 < len(done) < len(line.inputs())
    assert counts["emitted"] + counts["unchanged"] + counts["rejected"] == len(done)
    line.replay().run()
    assert line.outcomes() == line.inputs()


def test_a_store_that_comes_back_is_waited_for(line: Line) -> None:
    job = line.replay()
    line.store.down = True
    pauses: list[float] = []
    sleep = line.clock.sleep

    def asleep(seconds: float) -> None:
        pauses.append(seconds)
        line.store.down = len(pauses) < 3
        sleep(seconds)

    line.clock.sleep = asleep  # type: ignore[method-assign]
    job.run()
    assert len(pauses) == 3
    assert line.outcomes() == line.inputs()


def test_a_store_that_stays_away_ends_the_replay(line: Line) -> None:
    job = line.replay()
    line.store.down = True
    with pytest.raises(RetryLater):
        job.run()


def test_a_bug_turns_one_record_down_and_the_others_go_on(line: Line) -> None:
    right = line.steps_by(line.other)

    def buggy(batch, states, now):  # type: ignore[no-untyped-def]
        if batch[0].envelope.subject == line.raw(7).article_id:
            raise ZeroDivisionError("a bug")
        return right.enrich(batch, states, now)

    line.replay(steps=Steps(right.normalise, buggy)).run()
    (row,) = [row for row in line.rows("outcomes") if row["reason"] == "bug"]
    assert (row["stage"], row["article_id"]) == ("enrich", line.raw(7).article_id)
    assert line.outcomes() == line.inputs()


def test_what_its_own_schema_forbids_is_turned_down_and_the_others_go_on(line: Line) -> None:
    right = line.steps_by(line.other)

    def wrong(batch, states, now):  # type: ignore[no-untyped-def]
        (outcome,) = right.enrich(batch, states, now)
        if batch[0].envelope.subject == line.raw(7).article_id:
            events = tuple(structs.replace(event, status="perhaps") for event in outcome.data.events)
            return [outcome._replace(data=structs.replace(outcome.data, events=events))]
        return [outcome]

    line.replay(steps=Steps(right.normalise, wrong)).run()
    (row,) = [row for row in line.rows("outcomes") if row["reason"] == "bug"]
    assert (row["stage"], row["article_id"]) == ("enrich", line.raw(7).article_id)
    assert line.outcomes() == line.inputs()


def test_a_segment_without_any_article_is_a_link_of_the_chain() -> None:
    line = Line()
    line.publish([line.raw(n, ENGLISH) for n in range(6)])
    line.replay().run()
    assert line.outcomes() == line.inputs()
    assert line.rows("articles") == []
    line.publish([line.raw(1)])
    line.replay().run()
    assert len(line.rows("articles")) == 1
    assert verify(versions.view(line.store, "v2")).sound


def test_a_replay_uses_no_consumer_group_of_the_line(line: Line) -> None:
    groups = {name: dict(at) for name, at in line.broker._positions.items()}
    line.replay().run()
    assert {name: dict(at) for name, at in line.broker._positions.items()} == groups


def test_the_archive_goes_on_beside_a_replay(line: Line) -> None:
    line.replay().run()
    archive: Archive = line.archive()
    drain(archive)
    assert verify(line.store, line.browser).sound
