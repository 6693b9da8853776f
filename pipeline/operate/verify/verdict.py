"""What was checked and what is wrong, gathered within fixed memory."""

from collections import Counter
from typing import Any

import msgspec

from pipeline.ports import Partition

_KEPT = 100
"""Faults of one kind that are written out; the others are counted."""


class Fault(msgspec.Struct, frozen=True):
    """A broken invariant, where it is broken, and how."""

    invariant: str
    where: str
    detail: str


class Verdict(msgspec.Struct, frozen=True):
    """What was checked, every fault that was found, and what could not be judged, in sentences."""

    counts: dict[str, int]
    faults: tuple[Fault, ...]
    unchecked: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Tell whether every invariant that could be checked holds."""
        return not self.faults


class Findings:
    """Gathers counts and faults; of a kind of fault that is everywhere it keeps the first 100 and counts the rest."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._faults: list[Fault] = []
        self._seen: Counter[str] = Counter()
        self._unchecked: dict[str, None] = {}

    def fault(self, invariant: str, where: str, detail: str) -> None:
        """Note a broken invariant."""
        self._seen[invariant] += 1
        if self._seen[invariant] <= _KEPT:
            self._faults.append(Fault(invariant, where, detail))

    def room(self, invariant: str) -> int:
        """Return how many more faults of this kind would be written out: finding exact words can cost a read."""
        return max(0, _KEPT - self._seen[invariant])

    def more(self, invariant: str, count: int) -> None:
        """Count faults that nobody will read."""
        if count > 0:
            self._seen[invariant] = max(self._seen[invariant], _KEPT) + count

    def count(self, what: str, add: int) -> None:
        """Add to a count; one that was never added to is not shown."""
        self.counts[what] = self.counts.get(what, 0) + add

    def unchecked(self, sentence: str) -> None:
        """Note what cannot be judged, and why."""
        self._unchecked[sentence] = None

    def verdict(self) -> Verdict:
        """Return everything noted."""
        rest = [Fault(name, "…", f"and {times - _KEPT} more") for name, times in self._seen.items() if times > _KEPT]
        return Verdict(dict(self.counts), (*self._faults, *rest), tuple(self._unchecked))


def at(partition: Partition, offset: int) -> str:
    """Return the name of a place."""
    return f"{partition.topic}[{partition.number}]@{offset}"


# A place within a topic as one number, so that it can be sorted: partitions have 5 digits, offsets go up to 7·10^13.
OFFSETS = 2**46


def place(partition: Any, offset: Any) -> Any:
    """Return the number that stands for a place within its topic; also of arrays."""
    return partition * OFFSETS + offset


def split(number: int) -> tuple[int, int]:
    """Return partition and offset of a place."""
    return divmod(int(number), OFFSETS)


def place_name(topic: str, number: int) -> str:
    """Return the name of the place that a number stands for."""
    partition, offset = split(number)
    return at(Partition(topic, partition), offset)
