"""What `verify` must not blame: a line at work, retries, garbage; and ranges, which say what they cannot tell."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from pipeline import flow
from pipeline.adapters.memory import MemoryBrowser
from pipeline.errors import Flaw
from pipeline.operate import rejected
from pipeline.operate.verify import Range, verify
from pipeline.ports import Partition, Record
from tests.flow.broken import at, key_of, put, reword, segments
from tests.flow.line import Line
from tests.flow.nights import built, line, withdrawal
from tests.flow.planted_outcomes import stale_article
from tests.flow.planted_records import changed_byte
from tests.flow.world import drain

__all__ = ["built", "line"]
F, E = flow.FETCHED, flow.ENRICHED


def test_what_is_still_on_its_way_waits_and_is_no_fault(line: Line) -> None:
    line.publish([line.raw(200 + n) for n in range(6)])
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts[f"{F}: waiting for the archive"] == 6
    worker = line.transform("normalise")
    worker.work(worker.log.poll(0.5, 3))
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts["normalise: inputs"] == 53
    worker.finish()
    line.work()
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts["tables: segments waiting to be loaded"] > 0


def test_a_line_that_works_while_it_is_verified_is_not_blamed(line: Line) -> None:
    line.publish([line.raw(300 + n) for n in range(30)])
    workers = [line.transform("normalise"), line.transform("enrich"), line.archive(segment_bytes=1)]
    listed = 0

    class Busy(MemoryBrowser):
        def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
            answer = super().bounds(topic)
            turn()
            return answer

        def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
            for record in super().read(partition, start, end):
                turn()
                yield record

    def turn() -> None:
        nonlocal listed
        listed += 1
        job = workers[listed % 3]
        job.work(job.log.poll(0.5, 1))
        if listed % 7 == 0:
            line.publish([line.raw(1), line.raw(400 + listed)])

    for _ in range(3):
        verdict = verify(line.store, Busy(line.broker), line.warehouse)
        assert verdict.sound, verdict.faults
    for worker in workers:
        worker.finish()


def test_a_page_that_is_gone_at_two_pulls_is_two_facts(line: Line) -> None:
    for _ in range(2):
        line.clock.sleep(1)
        line.publish([withdrawal(line, 4)])
    line.work()
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts["normalise: unchanged"] == 2


def test_files_that_nobody_committed_are_counted_as_garbage(line: Line) -> None:
    first, *_ = segments(line)
    put(line, first.tables["records"].key.replace(".parquet", "-loser.parquet"), b"12345")
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert (verdict.counts["garbage: files"], verdict.counts["garbage: bytes"]) == (1, 5)


def test_a_rejection_that_is_tried_again_is_a_new_input_and_no_outcome(line: Line) -> None:
    def broken(batch: object, states: object) -> list[Flaw]:
        return [Flaw("bug", "planted") for _ in batch]  # type: ignore[attr-defined]

    line.publish([line.raw(500)])
    drain(line.transform("normalise"))
    worker = line.transform("enrich", handle=broken)  # type: ignore[arg-type]
    drain(worker)
    worker.finish()
    (entry,) = (e for e in rejected.entries(line.browser) if e.data.stage == "enrich")
    line.broker.append(rejected.again(entry, line.browser))
    line.work()
    verdict = line.verify()
    assert verdict.sound, verdict.faults
    assert verdict.counts["enrich: rejected"] == 1
    assert verdict.counts["normalise: emitted"] == 48


def test_a_log_that_no_longer_holds_its_beginning_is_said_to_be_unchecked(line: Line) -> None:
    class Shortened(MemoryBrowser):
        def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
            cut = 4 if topic == F else 0
            return {p: (min(cut, end), end) for p, (_, end) in super().bounds(topic).items()}

    verdict = verify(line.store, Shortened(line.broker), line.warehouse)
    assert verdict.sound, verdict.faults
    assert [f"{F}[0] begins at 4" in said for said in verdict.unchecked] == [True]


# Ranges


def test_without_a_log_the_store_is_checked_and_what_only_the_log_tells_is_said(line: Line) -> None:
    verdict = verify(line.store)
    assert verdict.sound
    assert verdict.counts[f"{E}: archived"] == 47
    assert any("the log was not read" in said for said in verdict.unchecked)
    expected = changed_byte(line)
    assert {(f.invariant, f.where) for f in verify(line.store).faults} == expected


def test_without_a_log_a_missing_first_segment_is_said_to_be_unknown(line: Line) -> None:
    first, second, *_ = segments(line)
    del line.store.objects[key_of(first)]
    verdict = verify(line.store)
    assert any(said.startswith(at(F, 0, second.start)) for said in verdict.unchecked)


@pytest.mark.parametrize("log", [True, False])
def test_a_range_of_offsets_looks_at_the_segments_it_touches_and_no_others(line: Line, log: bool) -> None:
    first, second, third = segments(line)
    for broken in (first, third):
        reword(line, broken, records=99)
    browser = line.browser if log else None
    inside = Range(topic=F, partition=0, start=second.start, until=second.end)
    verdict = verify(line.store, browser, line.warehouse, wanted=inside)
    assert verdict.sound, verdict.faults
    assert verdict.counts == {f"{F}: archived": second.records}
    assert any("outside" in said for said in verdict.unchecked)
    wider = Range(topic=F, partition=0, start=second.start - 1, until=second.end)
    faults = verify(line.store, browser, wanted=wider).faults
    assert [(f.invariant, f.where) for f in faults] == [("counts", at(F, 0, first.start))]


def test_a_range_finds_a_gap_inside_it(line: Line) -> None:
    _, second, third = segments(line)
    del line.store.objects[key_of(second)]
    wanted = Range(topic=F, partition=0, start=0, until=third.end)
    faults = verify(line.store, line.browser, wanted=wanted).faults
    assert {(f.invariant, f.where) for f in faults} == {
        ("chain", at(F, 0, second.start)),
        ("log in chain", at(F, 0, second.start)),
    }


def test_a_range_of_days_looks_at_the_segments_of_these_days(line: Line) -> None:
    day = segments(line)[0].first_timestamp.date()
    everything = verify(line.store, wanted=Range(start=day, until=day + timedelta(days=1)))
    assert everything.counts[f"{F}: archived"] == 51 - 1
    later = verify(line.store, wanted=Range(start=day + timedelta(days=1)))
    earlier = verify(line.store, wanted=Range(until=day))
    assert later.counts[f"{F}: archived"] == earlier.counts[f"{F}: archived"] == 0


def test_one_topic_is_compared_with_its_tables(line: Line) -> None:
    assert verify(line.store, line.browser, line.warehouse, wanted=Range(topic=E)).counts["tables: articles"] == 45
    expected = stale_article(line)
    faults = verify(line.store, line.browser, line.warehouse, wanted=Range(topic=E)).faults
    assert {(f.invariant, f.where) for f in faults} == expected


def test_of_a_fault_that_is_everywhere_the_first_hundred_are_named_and_the_rest_counted(line: Line) -> None:
    line.warehouse._db.execute("INSERT INTO articles (article_id, revision) SELECT 'x' || range, 1 FROM range(130)")
    faults = line.verify().faults
    assert len(faults) == 101
    assert faults[-1].detail == "and 30 more"
