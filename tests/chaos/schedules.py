"""Many schedules of the simulation, one a seed: `python -m tests.chaos.schedules --schedules 100000`."""

import argparse
import sys
import time
from collections import Counter
from typing import NamedTuple

import structlog

from tests.chaos.faults import CRASH_POINTS
from tests.chaos.simulation import Simulation


class Tally(NamedTuple):
    """What a run of many schedules came to."""

    schedules: int
    failures: dict[int, list[str]]
    reached: Counter[str]
    killed: Counter[str]
    inputs: int


def simulate(seeds: range, kind: type[Simulation] = Simulation, *, stop_at_failure: bool = False) -> Tally:
    """Run one schedule a seed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    failures: dict[int, list[str]] = {}
    reached, killed, inputs, done = Counter[str](), Counter[str](), 0, 0
    for seed in seeds:
        simulation = kind(seed)
        try:
            wrong = simulation.run()
        except (AssertionError, KeyError) as broken:
            wrong = [f"{type(broken).__name__}: {broken}"]
        done += 1
        reached += simulation.faults.reached
        killed += simulation.faults.killed
        inputs += simulation.inputs
        if wrong:
            failures[seed] = wrong
            if stop_at_failure:
                break
    return Tally(done, failures, reached, killed, inputs)


def main() -> int:
    """Run schedules and print the tally; 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.schedules", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--schedules", type=int, default=100_000)
    options = parser.parse_args()
    began = time.monotonic()
    tally = simulate(range(options.seed, options.seed + options.schedules))
    print(f"{tally.schedules} schedules, {tally.inputs} inputs, {time.monotonic() - began:.0f} s")
    for name in CRASH_POINTS:
        print(f"  {name}: reached {tally.reached[name]} times, died there {tally.killed[name]} times")
    for seed, wrong in list(tally.failures.items())[:20]:
        print(f"seed {seed}: {wrong[0]}")
    print(f"{len(tally.failures)} schedules lost or doubled something")
    return min(1, len(tally.failures))


if __name__ == "__main__":
    sys.exit(main())
