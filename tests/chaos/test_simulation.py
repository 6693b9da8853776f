"""The line under seeded faults, in memory: nothing lost, nothing doubled, and a broken line is always caught."""

import pytest

from tests.chaos.faults import CRASH_POINTS
from tests.chaos.mutants import MUTANTS
from tests.chaos.schedules import simulate
from tests.chaos.simulation import Simulation

SCHEDULES = range(2_000)


def test_no_schedule_of_faults_loses_or_doubles_anything_and_every_crash_point_is_died_at() -> None:
    tally = simulate(SCHEDULES)
    assert tally.failures == {}
    assert tally.inputs > 10 * len(SCHEDULES)
    assert [name for name in CRASH_POINTS if tally.killed[name] == 0] == []


def test_a_seed_is_one_schedule() -> None:
    one, two = Simulation(7), Simulation(7)
    assert one.run() == two.run() == []
    assert one.faults.reached == two.faults.reached
    assert len(one.store.objects) == len(two.store.objects)


@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_a_line_with_a_commit_step_left_out_or_swapped_is_caught(mutant: str) -> None:
    tally = simulate(range(3_000), MUTANTS[mutant], stop_at_failure=True)
    assert tally.failures, f"{mutant}: {tally.schedules} schedules found nothing wrong"
