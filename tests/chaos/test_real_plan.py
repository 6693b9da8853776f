"""Seeds of the chaos on real servers: each is one plan, and together they reach everything."""

import random
from collections import Counter

from tests.chaos.real.inputs import identity, inputs, poison
from tests.chaos.real.plan import POINTS, SPAN_S, TROUBLES, plan


def test_a_seed_is_one_plan() -> None:
    assert plan(17) == plan(17)
    assert plan(17) != plan(18)


def test_three_hundred_seeds_hold_every_trouble_and_every_commit_step() -> None:
    plans = [plan(seed) for seed in range(300)]
    assert {kind for each in plans for kind in each.kinds} == set(TROUBLES)
    assert {doom.point for each in plans for doom in each.dooms} == set(POINTS)
    assert all(0 < trouble.at <= SPAN_S for each in plans for trouble in each.troubles)


def test_a_doom_meets_a_worker_that_comes_by_there() -> None:
    for each in (plan(seed) for seed in range(300)):
        for doom in each.dooms:
            step, number = doom.instance.split("-")
            assert step in POINTS[doom.point]
            assert int(number) < each.workers[step]


def test_no_two_inputs_are_alike_though_articles_come_again() -> None:
    made = inputs(5, 300)
    assert inputs(5, 300) == made
    assert len({identity(message) for message in [*made, *poison(random.Random(5))]}) == 303
    assert max(Counter(message.key for message in made).values()) > 1
