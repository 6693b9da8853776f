"""How soon a killed worker, or a killed broker, is forgotten.

Articles trickle in all the while and the workers keep up. Then one is killed with SIGKILL and started again at
once under its old name, as its supervisor does. Two times are taken from the kill on: until the restarted worker
has committed something new, and until its lag is what it was before. For `normalise` a second reader is asked
too: when do readers of committed records see past what the killed worker had left open?
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from kafka import TopicPartition

from benchmarks.stage import Stage, kill, wait
from pipeline import flow
from pipeline.adapters.kafka import KafkaBrowser
from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.connection import consumer, foreign_errors
from pipeline.archive import chain_end
from pipeline.errors import RetryLater
from tests.fixtures.servers import store_at

_EVERY_S, _AT_ONCE = "0.2", "50"
_CALM_S = 5.0
_TIMES = 3
_ENDS = {"normalise": flow.NORMALISED, "archive": flow.FETCHED}


class Recovery(NamedTuple):
    """Seconds from the kill: the longest of the repetitions."""

    what: str
    first_commit_s: float
    caught_up_s: float
    readable_s: float


class _Line:
    """Two workers that are started again when they end, and how far each has come."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        bootstrap = stage.settings.kafka_bootstrap
        self._source = stage.start(stage.settings, "-m", "benchmarks.inputs", "trickle", bootstrap, _EVERY_S, _AT_ONCE)
        self._workers = {step: stage.worker(stage.settings, step, SEGMENT_SECONDS="1") for step in _ENDS}
        self._browser = KafkaBrowser(bootstrap)
        self._access = KafkaAccess.of(bootstrap)
        self._reader = consumer(self._access, group_id=None)
        self._store = store_at(int(stage.settings.s3_endpoint.rpartition(":")[2]), stage.settings.s3_bucket)

    def kill(self, step: str) -> None:
        """SIGKILL a worker; `supervise` starts it again."""
        kill(self._workers[step])

    def restart_broker(self) -> None:
        """SIGKILL the broker and start it again on what it left."""
        self._stage.kill_broker()
        self._stage.start_broker()

    def supervise(self) -> None:
        """Start again what has ended."""
        for step, process in self._workers.items():
            if process.poll() is not None:
                self._workers[step] = self._stage.worker(self._stage.settings, step, SEGMENT_SECONDS="1")

    def position(self, step: str) -> int:
        """Return how many inputs the step has done."""
        bounds = self._browser.bounds(flow.FETCHED)
        if step == "archive":
            return sum(chain_end(self._store, p, *each) for p, each in bounds.items())
        return sum(self._browser.committed(flow.group(step), flow.FETCHED).values())

    def lag(self, step: str) -> int:
        """Return how many inputs wait for the step."""
        return sum(end for _, end in self._browser.bounds(flow.FETCHED).values()) - self.position(step)

    def written(self, step: str) -> int:
        """Return where the step's output ends, open transactions included."""
        return sum(end for _, end in self._browser.bounds(_ENDS[step]).values())

    def readable(self, step: str) -> int:
        """Return how far a reader of committed records can read it."""
        partitions = [TopicPartition(*p) for p in self._browser.bounds(_ENDS[step])]
        with foreign_errors("reading ends", self._access):
            return sum(self._reader.end_offsets(partitions, timeout_ms=2_000).values())

    def close(self) -> None:
        """Stop everything."""
        for process in (self._source, *self._workers.values()):
            kill(process)
        self._browser.close()
        self._reader.close()


def measure(stage: Stage) -> list[Recovery]:
    """Kill each worker and then the broker, three times each, while articles come in."""
    line = _Line(stage)
    wait(lambda: _asked(lambda: min(line.position(step) for step in _ENDS) > 0), "the workers")
    out = [_worst(f"{step} killed", step, line, lambda: line.kill(step)) for step in _ENDS]  # noqa: B023
    out += [_worst(f"broker killed, {step}", step, line, line.restart_broker) for step in _ENDS]
    line.close()
    return out


def _worst(what: str, step: str, line: _Line, strike: Callable[[], None]) -> Recovery:
    rounds = [_recover(step, line, strike) for _ in range(_TIMES)]
    return Recovery(what, *(max(times) for times in zip(*rounds, strict=True)))


def _recover(step: str, line: _Line, strike: Callable[[], None]) -> tuple[float, float, float]:
    usual = _usual_lag(step, line)
    struck = time.monotonic()
    strike()
    line.supervise()
    open_end = _answer(lambda: line.written(step))
    left = _answer(lambda: line.position(step))
    reached = {
        "commit": lambda: line.position(step) > left,
        "caught up": lambda: line.lag(step) <= usual,
        "readable": lambda: line.readable(step) >= open_end,
    }
    found: dict[str, float] = {}

    def all_reached() -> bool:
        line.supervise()
        for name, is_reached in reached.items():
            if name not in found and _asked(is_reached):
                found[name] = time.monotonic() - struck
        # Before its first commit the lag is what it was at the kill, and says nothing.
        if "commit" not in found:
            found.pop("caught up", None)
        return len(found) == len(reached)

    wait(all_reached, f"{step} to recover")
    return found["commit"], found["caught up"], found["readable"]


def _usual_lag(step: str, line: _Line) -> int:
    """Return the largest lag in some calm seconds."""
    wait(lambda: _asked(lambda: line.lag(step) < 1_000), f"{step} to keep up")
    until, largest = time.monotonic() + _CALM_S, 0
    while time.monotonic() < until:
        line.supervise()
        largest = max(largest, _answer(lambda: line.lag(step)))
        time.sleep(0.1)
    return largest


def _asked(question: Callable[[], bool]) -> bool:
    """Return the answer; while the broker is away it is no."""
    try:
        return question()
    except RetryLater:
        return False


def _answer(question: Callable[[], int]) -> int:
    """Return the answer, once the broker is there to give it."""
    answer = 0

    def answered() -> bool:
        nonlocal answer
        answer = question()
        return True

    wait(lambda: _asked(answered), "an answer")
    return answer
