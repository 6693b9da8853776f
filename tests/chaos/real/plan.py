"""A seed → what one run does. Pure: the same seed is the same plan, on any machine."""

import random
from typing import NamedTuple

STEPS = ("normalise", "enrich", "archive")
SPAN_S = 8.0
"""Seconds within which troubles begin and inputs are written."""
_SESSION_S = 10.0
"""A worker that is stopped for longer than its session loses its partitions and wakes up as a zombie."""

POINTS = {
    "transform 1: read, not decided": ("normalise", "enrich"),
    "transform 2: decided, nothing written": ("normalise", "enrich"),
    "transform 3: written, positions not": ("normalise", "enrich"),
    "transform 3: positions sent, not committed": ("normalise", "enrich"),
    "transform 3: committed, not remembered": ("normalise", "enrich"),
    "archive 1: cut, nothing stored": ("archive",),
    "archive 2: a file stored": ("archive",),
    "archive 3: manifest created, not noted": ("archive",),
    "archive 4: noted, group not told": ("archive",),
    "archive 4: group told": ("archive",),
}
"""The numbered commit steps of `pipeline.transform` and `pipeline.archive`, and whose they are."""

TROUBLES = {
    "kill a worker": 6,
    "stop a worker": 4,
    "ask a worker to end": 2,
    "start a worker's twin": 2,
    "workers come and go": 2,
    "kill the broker": 2,
    "restart the broker": 1,
    "stop the broker": 1,
    "kill the store": 2,
    "stop the store": 1,
    "cut the broker's connections": 2,
    "slow the broker's connections": 1,
    "mute the broker's connections": 1,
    "cut the store's connections": 2,
    "slow the store's connections": 1,
    "mute the store's connections": 1,
    "fill the store's disk": 2,
    "fill the broker's disk": 1,
    "clocks jump": 2,
    "poison": 2,
    "leave a transaction open": 1,
    "kill a load": 2,
}
"""What may happen to a run, and how often beside the others."""


class Doom(NamedTuple):
    """The process of `instance` dies, or stops for `seconds`, when it is at `point` for the `visit`-th time."""

    instance: str
    point: str
    visit: int
    act: str
    seconds: float


class Trouble(NamedTuple):
    """Something that begins `at` seconds after the start and, where it can, ends after `seconds`."""

    at: float
    kind: str
    seconds: float
    choice: float
    """In [0, 1): which worker, or how far a clock jumps."""


class Plan(NamedTuple):
    """Everything one run does."""

    seed: int
    inputs: int
    workers: dict[str, int]
    named: bool
    """Whether workers are told their names; otherwise each takes a free slot of the machine."""
    batch_records: int
    segment_bytes: int
    segment_seconds: float
    dooms: tuple[Doom, ...]
    troubles: tuple[Trouble, ...]

    @property
    def kinds(self) -> set[str]:
        """Return which troubles there are."""
        return {trouble.kind for trouble in self.troubles}


def plan(seed: int) -> Plan:
    """Return the plan of a seed."""
    chance = random.Random(seed)
    workers = {step: chance.choice((1, 1, 2, 3)) for step in STEPS}
    return Plan(
        seed=seed,
        inputs=chance.choice((60, 150, 300)),
        workers=workers,
        named=chance.random() < 0.5,
        batch_records=chance.choice((3, 10, 50)),
        segment_bytes=chance.choice((3_000, 20_000, 10**7)),
        segment_seconds=chance.choice((0.2, 1.0, 2.0)),
        dooms=tuple(_doom(chance, workers) for _ in range(chance.choice((0, 1, 2, 4)))),
        troubles=tuple(sorted(_trouble(chance) for _ in range(chance.choice((1, 2, 4, 6))))),
    )


def _doom(chance: random.Random, workers: dict[str, int]) -> Doom:
    point = chance.choice(list(POINTS))
    step = chance.choice(POINTS[point])
    return Doom(
        instance=f"{step}-{chance.randrange(workers[step])}",
        point=point,
        visit=chance.choice((1, 2, 4, 8)),
        act=chance.choice(("kill", "kill", "stop")),
        seconds=chance.choice((0.5, 3.0, _SESSION_S + 4)),
    )


def _trouble(chance: random.Random) -> Trouble:
    kind = chance.choices(list(TROUBLES), weights=list(TROUBLES.values()))[0]
    longest = _SESSION_S + 4 if kind == "stop a worker" else 5.0
    return Trouble(
        at=round(chance.uniform(0.2, SPAN_S), 2),
        kind=kind,
        seconds=round(chance.choice((0.3, 2.0, longest)), 1),
        choice=chance.random(),
    )
