"""The machine's clock behind the port `Clock`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class SystemClock:
    """See `Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class StoppableClock(SystemClock):
    """A clock whose sleepers wake within a fifth of a second once `stop()` is true."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0 and not self._stop():
            time.sleep(min(left, 0.2))
