"""A worker that hangs ends, and says where it hung."""

import subprocess
import sys
import time
from pathlib import Path

from pipeline.adapters.clock import StoppableClock

HANGS = """
import threading
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.watchdog import watched
from pipeline.pulse import Pulse

def wait_for_ever():
    threading.Event().wait()

with watched(Pulse(SystemClock()), stall_seconds={stall}, stop=lambda: {stop}, clock=SystemClock()):
    {body}
print("went on")
"""


def ran(stall: float, stop: bool, body: str) -> tuple["subprocess.CompletedProcess[str]", float]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", HANGS.format(stall=stall, stop=stop, body=body)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, time.monotonic() - started


def test_a_loop_that_does_not_turn_ends_the_process_with_its_stack() -> None:
    done, _ = ran(0.5, False, "wait_for_ever()")
    assert done.returncode == 1
    assert "has not turned for 0 s" in done.stderr or "has not turned for 1 s" in done.stderr
    assert "wait_for_ever" in done.stderr


def test_a_worker_that_was_asked_to_stop_and_hangs_ends_within_ten_seconds() -> None:
    done, seconds = ran(300, True, "wait_for_ever()")
    assert done.returncode == 1
    assert 8 <= seconds < 10
    assert "what was not committed is left to the next owner" in done.stderr


def test_a_worker_that_ends_in_time_is_left_alone() -> None:
    done, _ = ran(300, True, "pass")
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


def test_a_pause_ends_when_the_worker_is_asked_to_stop() -> None:
    asked = iter([False, False, True])
    started = time.monotonic()
    StoppableClock(lambda: next(asked)).sleep(30)
    assert time.monotonic() - started < 5
