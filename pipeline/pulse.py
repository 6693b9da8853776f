"""What a worker's loop tells of itself, for those who look at it from outside: health checks and the watchdog."""

from typing import NamedTuple

from pipeline.ports import Clock


class Sign(NamedTuple):
    """The last turn of the loop. `trouble` says why it could do no work; None where it could."""

    seconds_ago: float
    turns: int
    trouble: str | None


class Pulse:
    """Written by the loop, read by any thread: one assignment replaces the whole sign."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: tuple[float, int, str | None] = (clock.monotonic(), 0, "it is still starting")

    def beat(self, trouble: str | None = None) -> None:
        """Note that the loop has turned, well or with trouble."""
        self._last = (self._clock.monotonic(), self._last[1] + 1, trouble)

    @property
    def sign(self) -> Sign:
        """Return how long ago the loop turned, and how that went."""
        at, turns, trouble = self._last
        return Sign(self._clock.monotonic() - at, turns, trouble)
