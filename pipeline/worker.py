"""THE loop of every streaming worker: poll → handle → write → flush → commit. Retry lives here only.

A job (`transform.py` log to log, `archive.py` log to store) says what to do with a batch and keeps its own
promise across a crash at any line. The loop adds patience: when something outside is down it backs off,
goes back to the last commit and tries again, and in the end fails loudly for its supervisor.
"""

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from pipeline.errors import Fenced, RetryLater
from pipeline.ports import Clock, EventLog, Rebalance, Record

log = structlog.get_logger(__name__)

_ATTEMPTS = 8
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_POLL_S = 0.5


class Job(Rebalance, Protocol):
    """What a worker does with what it reads."""

    def work(self, records: Sequence[Record]) -> None:
        """Take the next records; called with none when the log is quiet, so that clocks can be looked at."""

    def rewind(self) -> None:
        """Forget what is not committed and read on from the last commit."""

    def finish(self) -> None:
        """Commit what is buffered; the last call."""


def run(
    event_log: EventLog,
    job: Job,
    *,
    clock: Clock,
    limit: int,
    stop: Callable[[], bool],
    caught_up: Callable[[], bool] = lambda: False,
    beat: Callable[[str | None], None] = lambda _: None,
) -> None:
    """Work until `stop()` is true, or until the log is quiet and `caught_up()` is true.

    `beat` hears of every turn: None when it did its work, else what was in the way. A pause before a retry is the
    clock's, which may cut it short once `stop()` is true.
    Raises `Fenced` at once, and `RetryLater` after 8 failed attempts in a row, some two minutes.
    """
    failures = 0
    while not stop():
        try:
            if failures:
                job.rewind()
            records = event_log.poll(_POLL_S, limit)
            job.work(records)
            failures = 0
            beat(None)
            if not records and caught_up():
                break
        except Fenced:
            raise
        except RetryLater as error:
            failures += 1
            beat(str(error))
            if failures >= _ATTEMPTS:
                raise
            pause = pause_before(failures)
            log.warning("retrying", attempt=failures, seconds=round(pause, 1), reason=str(error))
            clock.sleep(pause)
    job.finish()


def pause_before(attempt: int) -> float:
    """Return seconds to wait before retry number `attempt` (from 1): exponential, capped, with full jitter.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; half is kept as a floor.
    """
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1))
    return float(longest * random.uniform(0.5, 1.0))
