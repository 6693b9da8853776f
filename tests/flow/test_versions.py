"""Versions beside one another: compared, switched to by one pointer, rolled back; what is withdrawn stays gone."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline import flow, versions
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.memory_model import MemoryModel
from pipeline.adapters.memory_store import MemoryStore
from pipeline.errors import DepecheError, Misconfigured, RetryLater
from pipeline.load import load
from pipeline.operate import projection
from pipeline.operate.comparison import compare
from tests.flow.replayed import DENIAL, Line, beside_another_version


@pytest.fixture
def line() -> Line:
    return beside_another_version()


def types(line: Line) -> set[str]:
    return {str(row[0]) for row in line.answer("SELECT DISTINCT type FROM events")}


def shown(line: Line) -> set[str]:
    """Return the articles that readers see anything of, in whatever table."""
    found = {str(row[0]) for row in line.answer("SELECT article_id FROM articles WHERE NOT withdrawn")}
    for name in ("mentions", "entities", "times", "events", "quotes"):
        found |= {str(row[0]) for row in line.answer(f"SELECT article_id FROM {name}")}
    return found


# The pointer


def test_before_the_first_switch_readers_use_the_live_version() -> None:
    assert versions.current(MemoryStore()).version == versions.LIVE


def test_of_many_who_switch_at_once_exactly_one_does_and_the_others_are_told() -> None:
    store, line = MemoryStore(), Line()
    seen = versions.current(store)

    def move(n: int) -> str:
        try:
            return versions.switch(store, f"v{n}", seen=seen, now=line.clock.now()).version
        except DepecheError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(move, range(8)))
    assert [each for each in said if "somebody else switched" not in each] == [versions.current(store).version]
    assert versions.current(store).generation == 1


def test_a_switch_leaves_every_earlier_one_to_be_read(line: Line) -> None:
    line.switch("v2")
    projection.roll_back(line.store, now=line.clock.now())
    keys = [info.key for info in line.store.list(versions.CURRENT)]
    assert keys == [f"current/{n:020d}.json" for n in (1, 2)]
    assert versions.current(line.store).version == versions.LIVE
    assert versions.current(line.store).previous == "v2"


def test_nothing_is_switched_to_that_is_not_there_is_used_already_or_is_far_behind(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DepecheError, match="there is no version 'v3'"):
        line.switch("v3")
    with pytest.raises(DepecheError, match="already"):
        line.switch(versions.LIVE)
    with pytest.raises(DepecheError, match="nothing was switched yet"):
        projection.roll_back(line.store, now=line.clock.now())
    monkeypatch.setattr(projection, "_MOST_BEHIND", 3)
    line.publish([line.raw(n) for n in range(30, 34)])
    with pytest.raises(DepecheError, match="still has to read more than 3"):
        line.switch("v2")


@pytest.mark.parametrize("name", ["", "../v2", "a/b", "V2", "é", "a" * 64])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="no name of a version"):
        versions.root_of(name)
    assert versions.version_of(versions.root_of("v2") + "log/x") == "v2"


def test_the_live_version_is_not_replayed_into() -> None:
    with pytest.raises(Misconfigured, match="live"):
        Line().replay(versions.LIVE)


def test_a_version_keeps_the_card_it_began_with(line: Line) -> None:
    first = versions.card(line.store, "v2")
    again = versions.Card(version="v2", code_version="later", model=line.model.info, created_at=line.clock.now())
    assert versions.declare(line.store, again) == first


# The tables


def test_a_switch_replaces_the_tables_and_a_rollback_brings_them_back_exactly(line: Line) -> None:
    live = line.dump()
    line.switch("v2")
    assert types(line) == {"ACCUSE"}  # until the next load
    report = line.load()
    assert (report.version, types(line)) == ("v2", {"ASSAULT"})
    fresh = line.dump()
    assert line.answer("SELECT count(*), count(DISTINCT article_id) FROM articles") == [(12, 12)]
    projection.roll_back(line.store, now=line.clock.now())
    line.load()
    assert line.dump() == live
    projection.roll_back(line.store, now=line.clock.now())
    line.load()
    assert line.dump() == fresh


def test_after_a_switch_the_tables_are_those_of_a_full_load(line: Line) -> None:
    line.switch("v2")
    line.load()
    replaced = line.dump()
    line.warehouse = DuckDbWarehouse(None)
    line.load()
    assert line.dump() == replaced


def test_the_line_goes_on_after_a_switch_and_each_load_reads_what_is_new(line: Line) -> None:
    line.switch("v2")
    line.load()
    line.publish([line.raw(40), line.raw(2, DENIAL)])
    line.live()
    report = line.load()
    assert (report.version, report.articles) == ("v2", 2)
    assert types(line) == {"ASSAULT"}
    assert line.raw(40).article_id in shown(line)
    rows = dict(line.answer("SELECT article_id, revision FROM articles"))  # type: ignore[arg-type]
    assert rows[line.raw(2).article_id] == 2
    assert line.load().segments == 0


def test_a_load_that_fails_on_the_way_leaves_the_old_version_in_the_tables(line: Line) -> None:
    before = line.dump()
    line.switch("v2")
    key = line.segments()[-1].tables["events"].key
    whole = f"{versions.root_of('v2')}{key}"
    data, metadata, at = line.store.objects[whole]
    line.store.objects[whole] = (data[:-1] + b"x", metadata, at)
    with pytest.raises(DepecheError, match="SHA-256"):
        line.load()
    assert line.dump() == before


def test_tables_are_not_replaced_by_a_version_that_has_read_less_than_they_have(line: Line) -> None:
    line.publish([line.raw(50)])
    line.live()
    line.load()
    line.feeding = False
    line.switch("v2")
    with pytest.raises(RetryLater, match="has not read 1 records"):
        line.load()
    assert types(line) == {"ACCUSE"}
    line.feeding = True
    line.load()
    assert types(line) == {"ASSAULT"}
    assert line.raw(50).article_id in shown(line)


def test_a_rollback_waits_until_the_live_line_has_read_what_the_tables_have(line: Line) -> None:
    line.switch("v2")
    line.publish([line.raw(50)])
    line.load()
    projection.roll_back(line.store, now=line.clock.now())
    with pytest.raises(RetryLater, match="normalise still has 1 records"):
        line.load()
    line.live("normalise", "enrich")
    with pytest.raises(RetryLater, match="archive still has"):
        line.load()
    assert types(line) == {"ASSAULT"}
    line.live()
    line.load()
    assert types(line) == {"ACCUSE"}
    assert line.raw(50).article_id in shown(line)


def test_a_switch_on_a_line_that_never_rests_is_loaded(line: Line) -> None:
    feed, more = line.feed, iter(range(100, 200))

    def busy(version: str) -> None:
        line.publish([line.raw(next(more))])
        feed(version)
        line.publish([line.raw(next(more))])
        line.live()

    line.feed = busy  # type: ignore[method-assign]
    line.switch("v2")
    line.load()
    assert types(line) == {"ASSAULT"}


def test_tables_that_another_load_changed_meanwhile_are_not_replaced(line: Line) -> None:
    line.switch("v2")
    planned = projection.plan(line.store, line.warehouse.loaded(), line.browser, line)
    name = line.withdraw(5)
    line.live()
    load(line.store, line.warehouse, topic=flow.ENRICHED)
    gone_everywhere(line, name)
    with pytest.raises(RetryLater, match="another load"):
        projection.bring_up_to_date(planned, line.store, line.warehouse)
    gone_everywhere(line, name)
    line.load()
    gone_everywhere(line, name)
    assert types(line) == {"ASSAULT"}


def test_from_one_version_to_the_next(line: Line) -> None:
    line.switch("v2")
    line.load()
    line.other = MemoryModel({"Kiev": "LOC"}, {"communiqué": "CONSULT"})
    line.replay("v3").run()
    line.switch("v3")
    line.load()
    assert types(line) == {"CONSULT"}
    assert versions.current(line.store).previous == "v2"


def test_tables_that_mix_versions_are_refused() -> None:
    with pytest.raises(DepecheError, match="several versions"):
        versions.held({"log/topic=t/p=00000/0.json", "versions/v2/log/topic=t/p=00000/0.json"})


# Withdrawn


def gone_everywhere(line: Line, name: str) -> None:
    assert name not in shown(line)
    assert line.answer(f"SELECT withdrawn, text FROM articles WHERE article_id = '{name}'") == [(True, None)]


@pytest.mark.parametrize("when", ["before the replay", "after the replay", "after the switch", "after the load"])
def test_what_is_withdrawn_is_gone_from_every_projection_and_stays_gone(when: str) -> None:
    line = Line()
    line.publish([line.raw(n) for n in range(9)])
    name = line.raw(3).article_id
    line.live()
    line.load()
    assert name in shown(line)

    def publisher(now: str) -> None:
        if now == when:
            line.withdraw(3)
            line.live()

    publisher("before the replay")
    line.replay().run()
    publisher("after the replay")
    line.switch("v2")
    publisher("after the switch")
    line.load()
    publisher("after the load")
    line.load()
    gone_everywhere(line, name)
    line.warehouse = DuckDbWarehouse(None)
    line.load()
    gone_everywhere(line, name)
    projection.roll_back(line.store, now=line.clock.now())
    line.load()
    gone_everywhere(line, name)
    found = compare((versions.LIVE, line.store), ("v2", versions.view(line.store, "v2")))
    assert found.counts["withdrawn"] == (1, 1)
    assert found.counts["articles"] == (8, 8)
    assert name not in str(found.articles.examples)


def test_an_article_withdrawn_while_it_is_replayed_does_not_come_back(line: Line) -> None:
    name = line.withdraw(5)
    line.live()
    line.load()
    gone_everywhere(line, name)
    line.feeding = False  # v2 has not heard of it
    line.switch("v2")
    with pytest.raises(RetryLater):
        line.load()
    gone_everywhere(line, name)


def test_a_withdrawn_article_that_is_published_again_is_back_in_every_version(line: Line) -> None:
    name = line.withdraw(5)
    line.publish([line.raw(5)])
    line.live()
    line.load()
    assert name in shown(line)
    line.switch("v2")
    line.load()
    assert name in shown(line)


def test_the_table_of_versions_says_who_reads_what_and_how_far_each_is(line: Line) -> None:
    line.publish([line.raw(60)])
    line.switch("v2")
    live, v2 = projection.table(line.store, line.browser, line)
    assert (live["version"], live["readers"]) == (versions.LIVE, "")
    assert (v2["readers"], v2["behind"]) == ("use it", 1)
    assert v2["ends"] == ", ".join(str(end) for _, end in sorted(line.ends("v2").items()))
