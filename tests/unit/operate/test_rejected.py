"""What was turned down is counted, found, and tried again at most once; a quarantine out of reach stops the line."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

import pytest

from pipeline import codec, flow
from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.memory import MemoryLog, MemoryWriter
from pipeline.errors import DepecheError, Fenced, Flaw, RetryLater
from pipeline.events import Rejected, Withdrawn
from pipeline.fetch import Source, pull
from pipeline.history import History
from pipeline.operate import rejected
from pipeline.operate.rejected import Wanted
from pipeline.ports import Message, Partition
from pipeline.pull import pull_source
from pipeline.worker import run
from tests.fixtures.seeds import BAD
from tests.flow.world import ENGLISH, FRENCH, World, drain, normalised, positions, with_a_rejection


@pytest.fixture
def world() -> World:
    return with_a_rejection()


def writer(world: World) -> MemoryWriter:
    return MemoryWriter(world.broker, rejected.RETRY_ID)


def retry(world: World, wanted: Wanted = rejected.ALL) -> rejected.Report:
    return rejected.retry(world.browser, writer(world), wanted.has)


def test_rejections_are_counted_by_stage_and_reason(world: World) -> None:
    assert rejected.counts(rejected.entries(world.browser)) == {"normalise": {"not_french": 1}}


def test_a_rejection_is_found_by_how_its_id_begins(world: World) -> None:
    (entry,) = rejected.entries(world.browser)
    assert rejected.find(world.browser, [entry.envelope.id[:8]]) == [entry]
    assert ENGLISH.encode() in codec_body(entry)
    with pytest.raises(DepecheError, match="0 rejections"):
        rejected.find(world.browser, ["nothing"])
    world.publish([world.raw(10, ENGLISH)])
    normalised(world)
    with pytest.raises(DepecheError, match="2 rejections"):
        rejected.find(world.browser, [""])


def codec_body(entry: rejected.Entry) -> bytes:
    heads = tuple((name, value.encode()) for name, value in entry.data.original_headers.items())
    event = codec.decode(codec.Wire(b"", heads, entry.data.original))
    assert not isinstance(event, Flaw)
    body: bytes = event.data.body  # type: ignore[union-attr]
    return body


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(reason="not_french"), 1),
        (Wanted(reason="empty"), 0),
        (Wanted(stage="normalise", source="test"), 1),
        (Wanted(stage="enrich"), 0),
        (Wanted(source="elsewhere"), 0),
    ],
)
def test_rejections_are_chosen_by_reason_stage_and_source(world: World, wanted: Wanted, count: int) -> None:
    assert len(list(rejected.entries(world.browser, wanted))) == count


def test_rejections_are_chosen_by_when_they_were_turned_down(world: World) -> None:
    now = world.clock.now()
    assert list(rejected.entries(world.browser, Wanted(since=now + timedelta(seconds=1)))) == []
    assert len(list(rejected.entries(world.browser, Wanted(since=now - timedelta(days=1))))) == 1


def test_a_retry_is_a_new_event_caused_by_the_rejection_in_the_partition_of_its_original(world: World) -> None:
    (entry,) = rejected.entries(world.browser)
    assert retry(world) == rejected.Report(written=1, done_before=0)
    last = [r for r in world.records(flow.FETCHED) if dict(r.headers).get("ce_causationid")]
    (record,) = last
    assert record.value == entry.data.original
    assert entry.data.position.startswith(f"{flow.FETCHED}[{record.partition}]@")
    event = codec.decode(record)
    assert not isinstance(event, Flaw)
    assert event.envelope.causationid == entry.envelope.id
    assert event.envelope.correlationid == entry.envelope.correlationid
    ids = [event.envelope.id for event in world.events(flow.FETCHED)]
    assert len(ids) == len(set(ids)) == 6


def test_a_retry_that_fails_again_is_a_new_rejection_at_the_end_of_the_chain_of_causes(world: World) -> None:
    (first,) = rejected.entries(world.browser)
    retry(world)
    normalised(world)
    (second,) = (e for e in rejected.entries(world.browser) if e.envelope.id != first.envelope.id)
    by_id = {event.envelope.id: event.envelope for event in world.events(flow.FETCHED)}
    assert by_id[second.envelope.causationid or ""].causationid == first.envelope.id
    assert by_id[first.envelope.causationid or ""].causationid is None
    assert second.envelope.correlationid == first.envelope.correlationid
    assert retry(world) == rejected.Report(written=1, done_before=1)


def test_a_second_retry_writes_nothing(world: World) -> None:
    retry(world)
    before = len(world.records(flow.FETCHED))
    assert retry(world) == rejected.Report(written=0, done_before=1)
    assert len(world.records(flow.FETCHED)) == before


def test_of_two_retries_at_once_the_earlier_is_fenced_and_each_input_is_written_once(world: World) -> None:
    world.publish([world.raw(n, ENGLISH) for n in range(10, 15)])
    normalised(world)

    class Overtaken(MemoryWriter):
        def write(self, messages: Sequence[Message]) -> None:
            # It has looked what was tried again; now another person's retry runs from beginning to end.
            assert retry(world).written == 6
            super().write(messages)

    with pytest.raises(Fenced):
        rejected.retry(world.browser, Overtaken(world.broker, rejected.RETRY_ID), rejected.ALL.has)
    assert len(retried(world)) == 6


def test_what_another_wrote_until_the_claim_is_seen_after_it(world: World) -> None:
    class Late(MemoryWriter):
        def claim(self) -> None:
            assert retry(world).written == 1  # another person's, while this one looked for what is wanted
            super().claim()

    late = Late(world.broker, rejected.RETRY_ID)
    assert rejected.retry(world.browser, late, rejected.ALL.has) == rejected.Report(written=0, done_before=1)
    assert len(retried(world)) == 1


def test_a_retry_that_overtakes_one_at_work_writes_only_what_that_one_has_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected, "_LOT_MESSAGES", 2)
    world.publish([world.raw(n, ENGLISH) for n in range(10, 15)])
    normalised(world)

    class OvertakenLater(MemoryWriter):
        lots = 0

        def write(self, messages: Sequence[Message]) -> None:
            super().write(messages)
            self.lots += 1
            if self.lots == 2:
                assert retry(world) == rejected.Report(written=2, done_before=4)

    with pytest.raises(Fenced):
        rejected.retry(world.browser, OvertakenLater(world.broker, rejected.RETRY_ID), rejected.ALL.has)
    assert len(retried(world)) == len(set(retried(world))) == 6


def test_an_article_withdrawn_since_does_not_come_back(world: World) -> None:
    (entry,) = rejected.entries(world.browser)
    gone = Withdrawn(
        article_id=entry.data.article_id or "",
        source="test",
        url=None,
        revision=0,
        reason="the publisher asked for it",
        fetched_at=world.clock.now(),
    )
    world.publish([gone])
    normalised(world)
    before = len(world.records(flow.FETCHED))
    report = retry(world)
    assert (report.written, report.done_before) == (0, 0)
    assert "a later input was accepted since" in report.skipped[0]
    assert len(world.records(flow.FETCHED)) == before


def test_of_two_versions_turned_down_both_come_again_in_order_but_none_behind_one_that_was_accepted(
    world: World,
) -> None:
    world.publish([world.raw(20, ENGLISH), world.raw(20, ENGLISH + " Again.")])
    normalised(world)
    mine = {e.envelope.id for e in rejected.entries(world.browser) if e.data.article_id == world.raw(20, "").article_id}
    assert rejected.retry(world.browser, writer(world), lambda e: e.envelope.id in mine).written == 2
    normalised(world)
    world.publish([world.raw(20, FRENCH.format(n=20))])
    normalised(world)
    report = rejected.retry(world.browser, writer(world), lambda e: e.data.article_id == world.raw(20, "").article_id)
    assert (report.written, report.done_before, len(report.skipped)) == (0, 2, 2)


def retried(world: World) -> list[str]:
    return [e.envelope.causationid for e in world.events(flow.FETCHED) if e.envelope.causationid]


def test_what_was_kept_only_in_part_is_taken_whole_from_where_it_stood(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = b"x" * (9 * 2**20)
    world.broker.append(Message(flow.FETCHED, b"k", (), large, partition=0))
    normalised(world)
    (entry,) = rejected.entries(world.browser, Wanted(reason="undecodable"))
    assert (len(entry.data.original), entry.data.original_size) == (8 * 2**20, 9 * 2**20)
    with monkeypatch.context() as gone:
        read = world.browser.read
        gone.setattr(world.browser, "read", lambda p, a, b: (r for r in read(p, a, b) if r.value != large))
        report = retry(world, Wanted(reason="undecodable"))
    assert report.written == 0
    assert "bytes were kept, and where it stood it is no more" in report.skipped[0]
    assert retry(world, Wanted(reason="undecodable")).written == 1
    assert [r.value == large for r in world.records(flow.FETCHED) if len(r.value) > 2**20] == [True, True]


def test_what_fetch_turned_down_is_pulled_again_by_fetch_and_the_sentence_says_how(world: World) -> None:
    data = Rejected(
        reason="malformed_json",
        detail="no",
        stage="fetch",
        source="archives",
        article_id=None,
        position="archives.jsonl:3",
        original=b"{",
        original_headers={},
        original_size=1,
        rejected_at=world.clock.now(),
    )
    world.publish([data], topic=flow.rejected(flow.FETCHED))
    report = retry(world, Wanted(stage="fetch"))
    assert report.written == 0
    assert "`depeche fetch archives --since 2026-01-01`" in report.skipped[0]


def test_what_retention_took_from_the_log_is_listed_from_the_archive(world: World) -> None:
    drain(world.archive())
    (entry,) = rejected.entries(world.browser)

    class Shortened(type(world.browser)):  # type: ignore[misc]
        """A log whose oldest records are gone."""

        def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
            return {p: (end, end) for p, (_, end) in super().bounds(topic).items()}

        def read(self, partition: Partition, start: int, end: int):  # type: ignore[no-untyped-def]
            first, _ = self.bounds(partition.topic)[partition]
            assert start >= first, "these records are gone"
            yield from super().read(partition, start, end)

    short = Shortened(world.broker)
    assert list(rejected.entries(short)) == []
    assert list(rejected.entries(History(short, world.store))) == [entry]


class Refusing(MemoryLog):
    """A broker that takes everything but what belongs into quarantine: topic gone, disk full, no permission."""

    refused = 0
    mended_after = 10**9

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        if any(message.topic in flow.REJECTED for message in messages) and Refusing.refused < self.mended_after:
            Refusing.refused += 1
            raise RetryLater("the quarantine does not answer")
        super().commit(messages, positions)


@pytest.fixture
def refusing() -> World:
    Refusing.refused, Refusing.mended_after = 0, 10**9
    made = World()
    made.publish([made.raw(1), made.raw(9, ENGLISH), made.raw(2)])
    return made


def test_a_quarantine_out_of_reach_stops_the_line_and_drops_nothing(refusing: World) -> None:
    worker = refusing.transform("normalise", log=Refusing)
    with pytest.raises(RetryLater, match="quarantine"):
        run(worker.log, worker, clock=refusing.clock, limit=100, stop=lambda: False)
    assert Refusing.refused == 8
    assert refusing.records(flow.NORMALISED) == []
    assert positions(refusing, "normalise") == {}
    worker.finish()
    normalised(refusing)
    assert len(refusing.records(flow.NORMALISED)) == 2
    assert rejected.counts(rejected.entries(refusing.browser)) == {"normalise": {"not_french": 1}}


def test_a_quarantine_that_comes_back_is_waited_for(refusing: World) -> None:
    Refusing.mended_after = 3
    worker = refusing.transform("normalise", log=Refusing)
    run(worker.log, worker, clock=refusing.clock, limit=100, stop=lambda: False, caught_up=lambda: True)
    assert Refusing.refused == 3
    assert len(refusing.records(flow.NORMALISED)) == 2
    assert len(list(rejected.entries(refusing.browser))) == 1


def test_a_pull_whose_rejections_cannot_be_kept_writes_nothing_and_stays_where_it_was(world: World) -> None:
    class Refusing(MemoryWriter):
        def write(self, messages: Sequence[Message]) -> None:
            if any(message.topic in flow.REJECTED for message in messages):
                raise RetryLater("the quarantine does not answer")
            super().write(messages)

    source = Source(name="bad", kind="jsonl", path="*.jsonl")
    reading = partial(pull, fetcher=None, files=DirectoryStore(BAD), now=world.clock.now())  # type: ignore[arg-type]
    before = len(world.records(flow.FETCHED))
    with pytest.raises(RetryLater, match="quarantine"):
        pull_source(source, None, pull=reading, writer=Refusing(world.broker, "fetch.bad"), clock=world.clock)
    assert len(world.records(flow.FETCHED)) == before
    assert world.records(flow.SOURCE_STATE) == []
