"""A version compared with the one readers use: what drifted, and which articles differ."""

from collections.abc import Mapping

import pytest

from pipeline import versions
from pipeline.errors import DepecheError, Flaw
from pipeline.operate import projection
from pipeline.operate.comparison import Comparison, compare, distance
from pipeline.replay.reader import Steps
from tests.flow.replayed import Line, beside_another_version


@pytest.fixture
def line() -> Line:
    return beside_another_version()


def compared(line: Line) -> Comparison:
    return compare((versions.LIVE, line.store), ("v2", versions.view(line.store, "v2")))


def test_two_versions_of_one_code_and_model_do_not_differ() -> None:
    line = Line()
    line.publish([line.raw(n) for n in range(6)])
    line.live()
    line.replay(model=line.model).run()
    found = compared(line)
    assert (found.event_drift, found.entity_drift) == (0.0, 0.0)
    assert found.articles.same == 6
    assert all(before == after for before, after in found.counts.values())


def test_a_comparison_counts_what_drifted_and_which_articles_differ(line: Line) -> None:
    line.publish([line.raw(60)])
    line.replay().run()
    found = compared(line)
    assert found.counts["articles"] == (12, 13)
    assert found.event_drift == 1.0
    assert {(d.name, d.before > 0, d.after > 0) for d in found.event_types} == {
        ("ACCUSE", True, False),
        ("ASSAULT", False, True),
    }
    assert {d.name: (d.before, d.after) for d in found.sources} == {"test": (12, 13)}
    assert 0 < found.entity_drift < 1
    assert (found.articles.added, found.articles.removed, found.articles.other_text) == (1, 0, 0)
    assert found.articles.examples["added"] == [line.raw(60).article_id]
    assert found.articles.other_reading == 12


def test_a_version_is_compared_with_what_readers_use_or_used_before_it(line: Line) -> None:
    assert projection.compared_with(line.store, "v2", None) == versions.LIVE
    line.switch("v2")
    assert projection.compared_with(line.store, "v2", None) == versions.LIVE
    assert projection.compared_with(line.store, versions.LIVE, None) == "v2"
    with pytest.raises(DepecheError, match="nothing to compare"):
        projection.compared_with(line.store, "v2", "v2")
    with pytest.raises(DepecheError, match="there is no version 'v9'"):
        projection.compared_with(line.store, "v2", "v9")


def test_a_comparison_counts_only_the_newest_revision(line: Line) -> None:
    revised = line.raw(1).article_id
    newest = [row for row in line.rows("events") if row["article_id"] != revised or row["revision"] == 2]
    assert len(newest) < len(line.rows("events"))
    assert compared(line).counts["events"][1] == len(newest)


def test_what_other_code_turns_down_is_a_removed_article_and_counted(line: Line) -> None:
    right = line.steps_by(line.other)

    def stricter(batch, states, now):  # type: ignore[no-untyped-def]
        if batch[0].data.article_id == line.raw(4).article_id:
            return [Flaw("no_text", "stricter")]
        return right.normalise(batch, states, now)

    line.replay("v3", steps=Steps(stricter, right.enrich)).run()
    found = compare((versions.LIVE, line.store), ("v3", versions.view(line.store, "v3")))
    assert found.articles.removed == 1
    assert found.articles.examples["removed"] == [line.raw(4).article_id]
    assert found.rejected == {"normalise: no_text": 1}


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ({"A": 1}, {"A": 7}, 0.0),
        ({"A": 1, "B": 1}, {"A": 2}, 0.5),
        ({"A": 1}, {"B": 1}, 1.0),
        ({}, {}, 0.0),
        ({}, {"A": 1}, 1.0),
    ],
)
def test_the_distance_of_two_distributions(one: Mapping[str, int], two: Mapping[str, int], expected: float) -> None:
    assert distance(one, two) == expected
