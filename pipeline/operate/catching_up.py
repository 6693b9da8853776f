"""Waiting until the line has caught up with what was fetched: nothing is called done before it is archived.

A position tells nothing about how many records are left: transaction markers leave holes in the offsets.
So a step has passed an end when no committed record lies between its position and that end.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import structlog

from pipeline import progress
from pipeline.errors import RetryLater
from pipeline.flow import ARCHIVED, FACTS, FETCHED, STEPS, group
from pipeline.ports import Clock, LogBrowser, Partition

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.5
_PARTITION = re.compile(r"(?P<topic>.+)\[(?P<number>\d+)\]")
_STREAMING = tuple(each for each in STEPS if each.reads in FACTS and each.writes in FACTS)

T = TypeVar("T")
Ends = Mapping[Partition, int]
Positions = Callable[[Iterable[Partition]], Mapping[Partition, int]]
"""What gives the positions (next offset to read) of some partitions; one left out has none yet."""


def as_json(ends: Ends) -> dict[str, int]:
    """Return `{"topic[partition]": end}`, in order."""
    return {f"{p.topic}[{p.number}]": ends[p] for p in sorted(ends)}


def from_json(ends: Mapping[str, int]) -> dict[Partition, int]:
    """Return what `as_json` was given. Raises ValueError for a name that is no `topic[partition]`."""
    out = {}
    for name, end in ends.items():
        match = _PARTITION.fullmatch(name)
        if match is None:
            raise ValueError(f"{name!r} is no partition; expected topic[number]")
        out[Partition(match["topic"], int(match["number"]))] = end
    return out


def fetched_ends(browser: LogBrowser) -> dict[str, int]:
    """Return where the fetched articles end now, to be taken once and waited for."""
    return as_json(progress.ends(browser, FETCHED))


def wait_until_archived(
    ends: Mapping[str, int],
    *,
    browser: LogBrowser,
    archived: Callable[[Partition], int],
    clock: Clock,
    timeout: float,
) -> dict[str, Any]:
    """Return when everything fetched before `ends`, and all that came of it, is in segments.

    `archived` gives the end of a partition's last segment. The end of each next topic is taken once, when
    the step before has passed: what comes later is another night's. Asking again with the same arguments is
    always right. Raises `RetryLater` after `timeout` seconds, naming the step that lags and by how much, or
    what of broker and store did not answer; one that comes back before is only waited for.
    """
    wait = _Wait(browser, clock, timeout)
    fetched = reached = from_json(ends)
    for each in _STREAMING:
        wait.until_passed(each.name, reached, _group_positions(browser, each.name, each.reads))
        reached = wait.ends(each.writes)
    for topic in ARCHIVED:
        reached = reached | wait.ends(topic)
    reached |= fetched
    wait.until_passed("archive", reached, lambda partitions: {p: archived(p) for p in partitions})
    return {"passed_after_seconds": wait.passed_after, "archived": as_json(reached)}


def _group_positions(browser: LogBrowser, step: str, topic: str) -> Positions:
    return lambda _: browser.committed(group(step), topic)


class _Wait:
    """One wait, with one deadline for all its steps."""

    def __init__(self, browser: LogBrowser, clock: Clock, timeout: float) -> None:
        self._browser, self._clock, self._timeout = browser, clock, timeout
        self._started = clock.monotonic()
        self.passed_after: dict[str, float] = {}

    def until_passed(self, step: str, ends: Ends, positions: Positions) -> None:
        """Return when `step` has passed `ends`. Raises `RetryLater` at the deadline, saying what is left."""
        log.info("waiting", step=step, ends=as_json(ends))
        left = dict(ends)
        while left := self._answer(lambda: self._still_ahead(left, positions)):
            if self._is_late():
                raise RetryLater(self._lag(step, left, positions))
            self._clock.sleep(_POLL_SECONDS)
        self.passed_after[step] = round(self._clock.monotonic() - self._started, 1)
        log.info("passed", step=step, seconds=self.passed_after[step])

    def ends(self, topic: str) -> dict[Partition, int]:
        """Return where the topic ends now."""
        return self._answer(lambda: progress.ends(self._browser, topic))

    def _answer(self, ask: Callable[[], T]) -> T:
        # A broker that restarts, or makes its group coordinator on the first question, costs no new try.
        while True:
            try:
                return ask()
            except RetryLater as error:
                if self._is_late():
                    raise
                log.info("no answer yet", reason=str(error))
                self._clock.sleep(_POLL_SECONDS)

    def _is_late(self) -> bool:
        return self._clock.monotonic() - self._started >= self._timeout

    def _still_ahead(self, ends: Ends, positions: Positions) -> dict[Partition, int]:
        at = positions(ends)
        return {p: end for p, end in ends.items() if progress.remaining(self._browser, at, {p: end}, most=1)}

    def _lag(self, step: str, ends: Ends, positions: Positions) -> str:
        at = positions(ends)
        left = {p: progress.remaining(self._browser, at, {p: ends[p]}) for p in sorted(ends)}
        where = ", ".join(f"{count} in {p.topic}[{p.number}]" for p, count in left.items())
        return (
            f"{step} still has {sum(left.values())} records to read after {self._timeout:.0f} s ({where}). "
            f"Is `depeche run {step}` up? `depeche status` shows its lag, its log shows why."
        )
