"""The chaos on real servers, once each way: a sound line passes, a broken one is caught."""

import pytest

from tests.chaos.real.plan import Doom, Plan, Trouble
from tests.chaos.real.run import Result, run
from tests.chaos.real.worker import MUTANTS

PLAN = Plan(
    seed=1,
    inputs=60,
    workers={"normalise": 1, "enrich": 1, "archive": 1},
    named=True,
    batch_records=3,
    segment_bytes=3_000,
    segment_seconds=0.2,
    dooms=(
        Doom("normalise-0", "transform 3: committed, not remembered", 3, "kill", 0),
        Doom("archive-0", "archive 3: manifest created, not noted", 4, "kill", 0),
    ),
    troubles=(Trouble(5.0, "kill a worker", 0.3, 0.5),),
)


MARKS = {
    "positions are committed apart from the outcomes": ("verify: each event id once", "verify: one outcome each"),
    "the archive believes what the group was told": ("verify: log in chain", "never finished: archive"),
}
"""What the judges say of each mutant. A batch done twice stands twice, or is counted twice where nothing in it was new.
An archive that starts elsewhere than where its chain ends leaves records out, or is given some again that it refuses,
and comes to no end: that depends on when it dies."""


def happened(result: Result) -> tuple[list[str], list[str]]:
    return sorted(result.dooms), result.troubles


def test_a_sound_line_loses_and_doubles_nothing_when_it_dies_at_its_commit_steps() -> None:
    result = run(PLAN)
    assert result.wrong == []
    assert result.tracebacks == []
    assert happened(result) == (sorted(f"kill: {doom.point}" for doom in PLAN.dooms), ["kill a worker"])
    assert result.exits == {"-9": 3}
    assert result.inputs == 60


@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_a_line_whose_promise_is_broken_is_caught(mutant: str) -> None:
    result = run(PLAN, broken=mutant, patience=30)
    assert len(result.dooms) == 2
    assert any(wrong.startswith(MARKS[mutant]) for wrong in result.wrong), result.wrong
