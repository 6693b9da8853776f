"""Ends a worker that hangs. Promise: no call into a library, however it waits, keeps the process for ever.

A thread of its own looks at the loop's pulse. It cannot interrupt a call that waits in C or on a socket, so it
ends the process: that is safe at any line, since nothing is done before it is committed, and the supervisor
starts it again.
"""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.ports import Clock
from pipeline.pulse import Pulse

STOP_SECONDS = 8.0
"""From SIGTERM to the end: two seconds less than the ten a supervisor commonly gives."""
_LOOK_S = 0.25


@contextmanager
def watched(pulse: Pulse, *, stall_seconds: float, stop: Callable[[], bool], clock: Clock) -> Iterator[None]:
    """Watch while the block runs: exit 1 with a sentence and every thread's stack when the loop has not turned for
    `stall_seconds`, or when the block still runs `STOP_SECONDS` after `stop()` became true."""
    over = threading.Event()

    def watch() -> None:
        asked: float | None = None
        while not over.wait(_LOOK_S):
            if asked is None and stop():
                asked = clock.monotonic()
            if asked is not None and clock.monotonic() - asked >= STOP_SECONDS:
                _end(f"stopped in the middle of its work, {STOP_SECONDS:.0f} s after it was asked to end", stacks=False)
            if pulse.sign.seconds_ago >= stall_seconds:
                _end(f"its loop has not turned for {stall_seconds:.0f} s (DEPECHE_STALL_SECONDS)", stacks=True)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _end(why: str, *, stacks: bool) -> None:
    print(f"depeche: {why}; what was not committed is left to the next owner", file=sys.stderr, flush=True)
    if stacks:
        faulthandler.dump_traceback(all_threads=True)
    os._exit(1)
