"""Log to log: each committed input has exactly one outcome, whatever happens on the way."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from pipeline import flow
from pipeline.adapters.memory import MemoryClock, MemoryLog
from pipeline.errors import Fenced, RetryLater
from pipeline.events import Article, ArticleState, Event, Rejected, Withdrawn
from pipeline.outcome import Emitted, Outcome
from pipeline.ports import Message, Partition
from pipeline.transform import LARGEST_VALUE, Handle
from pipeline.worker import run
from tests.flow.world import World, causes, drain


class Crash(BaseException):
    """The process dies here."""


class CrashingLog(MemoryLog):
    """Dies at its `when`-th commit: before it took effect, or just after."""

    when = 1
    after = False

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        type(self).when -= 1
        if type(self).when == 0 and not self.after:
            raise Crash
        super().commit(messages, positions)
        if type(self).when == 0:
            raise Crash


def fetched_ids(world: World) -> set[str]:
    return {event.envelope.id for event in world.events(flow.FETCHED)}


def outcomes(world: World) -> Mapping[str, int]:
    return causes([*world.events(flow.NORMALISED), *world.events(flow.rejected(flow.FETCHED))])


def test_each_input_has_one_outcome_in_the_next_topic() -> None:
    world = World()
    world.publish([world.raw(n) for n in range(25)])
    drain(world.transform("normalise"))
    assert outcomes(world) == dict.fromkeys(fetched_ids(world), 1)
    assert len(world.records(flow.NORMALISED)) == 25


def test_an_outcome_keeps_correlation_and_names_its_cause() -> None:
    world = World()
    world.publish([world.raw(1)])
    drain(world.transform("normalise"))
    drain(world.transform("enrich"))
    fetched, normalised, enriched = (world.events(topic)[0].envelope for topic in flow.FACTS)
    assert normalised.causationid == fetched.id
    assert enriched.causationid == normalised.id
    assert fetched.correlationid == normalised.correlationid == enriched.correlationid == fetched.id


def test_the_same_text_again_is_counted_as_unchanged_and_not_emitted() -> None:
    world = World()
    world.publish([world.raw(1), world.raw(2)])
    worker = world.transform("normalise")
    drain(worker)
    world.publish([world.raw(1)])
    drain(worker)
    assert worker.counts == {"emitted": 2, "unchanged": 1, "rejected": 0}
    states = {e.data.article_id: e.data for e in world.events(flow.ARTICLE_STATE)}  # type: ignore[union-attr]
    assert sum(state.unchanged for state in states.values()) == 1
    assert sum(state.inputs for state in states.values()) == 3


def test_changed_text_is_the_next_revision_also_after_a_restart() -> None:
    world = World()
    world.publish([world.raw(1)])
    worker = world.transform("normalise")
    drain(worker)
    worker.finish()
    world.publish([world.raw(1, "Le ministre a finalement démenti mardi avoir accusé la Russie, selon son cabinet.")])
    drain(world.transform("normalise", instance="b"))
    assert [e.data.revision for e in world.events(flow.NORMALISED)] == [1, 2]  # type: ignore[union-attr]


def test_two_inputs_of_one_article_in_one_batch_see_each_other() -> None:
    world = World()
    world.publish([world.raw(1), world.raw(1), world.raw(1, "Le ministre a démenti mardi avoir accusé la Russie.")])
    worker = world.transform("normalise")
    drain(worker)
    assert worker.counts == {"emitted": 2, "unchanged": 1, "rejected": 0}


def test_what_cannot_be_decoded_is_rejected_with_its_place_and_its_bytes() -> None:
    world = World()
    world.broker.append(Message(flow.FETCHED, b"k", (("ce_id", b"1"),), b"\xffnot json", partition=1))
    drain(world.transform("normalise"))
    (event,) = world.events(flow.rejected(flow.FETCHED))
    assert isinstance(event.data, Rejected)
    assert (event.data.reason, event.data.stage) == ("undecodable", "normalise")
    assert event.data.position == f"{flow.FETCHED}[1]@0"
    assert event.data.original == b"\xffnot json"
    assert event.data.original_headers == {"ce_id": "1"}


def test_a_bug_on_one_record_rejects_that_record_and_the_others_go_on() -> None:
    world = World()
    world.publish([world.raw(n) for n in range(9)])
    right = world.handle("normalise")

    def handle(batch, states):  # type: ignore[no-untyped-def]
        if any(event.data.position == "test:4" for event in batch):
            raise ZeroDivisionError("a bug")
        return right(batch, states)

    drain(world.transform("normalise", handle=handle))
    (event,) = world.events(flow.rejected(flow.FETCHED))
    assert isinstance(event.data, Rejected)
    assert event.data.reason == "bug"
    assert "ZeroDivisionError" in (event.data.traceback or "")
    assert event.data.article_id == world.raw(4).article_id
    assert len(world.records(flow.NORMALISED)) == 8


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_crash_at_any_commit_loses_and_doubles_nothing(at: int, after: bool) -> None:
    world = World()
    world.publish([world.raw(n) for n in range(25)])

    class Log(CrashingLog):
        pass

    Log.when, Log.after = at, after
    dying = world.transform("normalise", log=Log)
    with pytest.raises(Crash):
        drain(dying)
    world.broker.leave(flow.group("normalise"), dying.log)  # type: ignore[arg-type]  # its session ends
    drain(world.transform("normalise"))
    assert outcomes(world) == dict.fromkeys(fetched_ids(world), 1)


def test_a_second_worker_takes_half_and_nothing_is_done_twice() -> None:
    world = World()
    world.publish([world.raw(n) for n in range(40)])
    one = world.transform("normalise", instance="a")
    one.work(one.log.poll(0.5, 10))
    two = world.transform("normalise", instance="b")
    for worker in (two, one):
        drain(worker)
    assert outcomes(world) == dict.fromkeys(fetched_ids(world), 1)
    assert two.counts["emitted"] > 0


def test_a_zombie_is_fenced_and_what_it_wrote_is_not_there() -> None:
    world = World()
    world.publish([world.raw(n) for n in range(5)])
    old = world.transform("normalise")
    batch = old.log.poll(0.5, 10)
    drain(world.transform("normalise"))
    with pytest.raises(Fenced):
        old.work(batch)


def test_a_withdrawal_passes_through_every_step() -> None:
    world = World()
    raw = world.raw(1)
    gone = Withdrawn(
        article_id=raw.article_id, revision=0, source="test", url=None, reason="410 Gone", fetched_at=world.clock.now()
    )
    world.publish([raw, gone])
    drain(world.transform("normalise"))
    drain(world.transform("enrich"))
    kinds = [type(e.data) for e in world.events(flow.NORMALISED)]
    assert kinds == [Article, Withdrawn]
    assert [e.data.revision for e in world.events(flow.ENRICHED) if isinstance(e.data, Withdrawn)] == [2]


def test_a_broker_that_comes_back_is_waited_for_and_nothing_is_lost() -> None:
    world = World()
    world.publish([world.raw(n) for n in range(5)])
    worker = world.transform("normalise")
    tries = []

    class Sleepy(MemoryClock):
        def sleep(self, seconds: float) -> None:
            tries.append(seconds)
            world.broker.down = len(tries) < 3

    world.broker.down = True
    run(worker.log, worker, clock=Sleepy(), limit=10, stop=lambda: False, caught_up=lambda: True)
    assert len(tries) == 3
    assert outcomes(world) == dict.fromkeys(fetched_ids(world), 1)


def test_a_commit_that_took_effect_unheard_is_not_done_again() -> None:
    world = World()
    world.publish([world.raw(n) for n in range(25)])
    worker = world.transform("normalise")

    class Hearing(MemoryClock):
        def sleep(self, seconds: float) -> None:
            world.broker.loses_answers = False

    world.broker.loses_answers = True
    run(worker.log, worker, clock=Hearing(), limit=10, stop=lambda: False, caught_up=lambda: True)
    assert outcomes(world) == dict.fromkeys(fetched_ids(world), 1)
    emitted = len(world.records(flow.NORMALISED))
    again = world.transform("normalise", instance="a")
    world.publish([world.raw(n) for n in range(25)])
    drain(again)
    assert len(world.records(flow.NORMALISED)) == emitted, "their text is the same as before"


def test_what_an_unheard_commit_remembered_is_known_to_the_worker_that_sent_it() -> None:
    world = World()
    world.publish([world.raw(n) for n in range(10)])
    worker = world.transform("normalise")
    batch = worker.log.poll(0.5, 100)
    world.broker.loses_answers = True
    with pytest.raises(RetryLater):
        worker.work(batch)
    world.broker.loses_answers = False
    worker.rewind()
    world.publish([world.raw(n) for n in range(10)])
    drain(worker)
    assert worker.counts["unchanged"] == 10
    assert len(world.records(flow.NORMALISED)) == 10


def test_a_broker_that_stays_away_ends_the_worker_loudly() -> None:
    world = World()
    worker = world.transform("normalise")
    world.broker.down = True
    clock = MemoryClock()
    with pytest.raises(RetryLater):
        run(worker.log, worker, clock=clock, limit=10, stop=lambda: False)
    assert 20 < clock.monotonic() < 180


def too_large(world: World, number: int) -> Handle:
    """Return normalise as it would be if it blew the text of one article up beyond what the log takes."""
    normal = world.handle("normalise")

    def handle(batch: Sequence[Event], states: Mapping[str, ArticleState]) -> Sequence[Outcome]:
        blown = []
        for outcome in normal(batch, states):
            data = outcome.data if isinstance(outcome, Emitted) else None
            if isinstance(data, Article) and data.article_id == world.raw(number).article_id and data.revision == 1:
                text = data.text * (LARGEST_VALUE // 50)
                blown.append(outcome._replace(data=msgspec.structs.replace(data, text=text)))
            else:
                blown.append(outcome)
        return blown

    return handle


def against_its_schema(world: World, number: int) -> Handle:
    """Return normalise as it would be if it gave one article a precision its schema does not allow."""
    normal = world.handle("normalise")

    def handle(batch: Sequence[Event], states: Mapping[str, ArticleState]) -> Sequence[Outcome]:
        return [
            outcome._replace(data=msgspec.structs.replace(outcome.data, published_precision="century"))
            if isinstance(outcome, Emitted)
            and isinstance(outcome.data, Article)
            and outcome.data.article_id == world.raw(number).article_id
            else outcome
            for outcome in normal(batch, states)
        ]

    return handle


def test_an_outcome_the_log_does_not_take_is_turned_down_and_leaves_nothing_to_remember() -> None:
    world = World()
    world.publish([world.raw(1), world.raw(2), world.raw(1), world.raw(3)])
    worker = world.transform("normalise", handle=too_large(world, 1))
    drain(worker)
    reasons = [event.data.reason for event in world.events(flow.rejected(flow.FETCHED))]
    assert reasons == ["oversize", "oversize"]  # the second is not taken for a repetition of what was never written
    assert worker.counts == {"emitted": 2, "unchanged": 0, "rejected": 2}
    assert {event.data.article_id for event in world.events(flow.ARTICLE_STATE)} == {
        world.raw(2).article_id,
        world.raw(3).article_id,
    }


def test_an_outcome_its_own_schema_forbids_is_a_bug_on_one_record_and_no_end_of_the_worker() -> None:
    world = World()
    world.publish([world.raw(n) for n in range(5)])
    worker = world.transform("normalise", handle=against_its_schema(world, 3))
    drain(worker)
    (turned_down,) = [event.data for event in world.events(flow.rejected(flow.FETCHED))]
    assert (turned_down.reason, turned_down.article_id) == ("bug", world.raw(3).article_id)
    assert "Traceback" in turned_down.traceback
    assert worker.counts == {"emitted": 4, "unchanged": 0, "rejected": 1}
