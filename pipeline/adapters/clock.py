"""The machine's clock behind the port `Clock`."""

import time
from datetime import UTC, datetime


class SystemClock:
    """See `Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
