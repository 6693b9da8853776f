"""The streaming workers, wired."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import structlog

from pipeline import flow, progress
from pipeline.adapters.clock import StoppableClock, SystemClock
from pipeline.adapters.health import served
from pipeline.adapters.kafka import KafkaBrowser, KafkaLog
from pipeline.adapters.watchdog import watched
from pipeline.archive import Archive
from pipeline.bootstrap.reading import model
from pipeline.bootstrap.wiring import browser, instance, kafka, settings, store
from pipeline.errors import Misconfigured, RetryLater
from pipeline.operate.doctor_store import require_conditional_writes
from pipeline.ports import Clock, Partition
from pipeline.pulse import Pulse
from pipeline.settings import Settings
from pipeline.store import segment
from pipeline.transform import Transform
from pipeline.worker import Job, pause_before, run

log = structlog.get_logger(__name__)

_ENRICH_BATCH = 20
"""Articles of one transaction: reading one takes some tenths of a second, and latency is a promise too."""

_STORE_TRIES = 8


def run_step(name: str, *, until_caught_up: bool, stop: Callable[[], bool]) -> Mapping[str, int]:
    """Run one streaming worker and return its counts. Raises `Misconfigured` for a step that does not stream.

    It ends within 10 seconds of `stop()`, and with exit code 1 when it hangs: see `adapters/watchdog.py`.
    """
    s = settings()
    clock = StoppableClock(stop)
    pulse = Pulse(clock)
    with (
        watched(pulse, stall_seconds=s.stall_seconds, stop=stop, clock=clock),
        served(s.health_host, s.health_port, pulse, s.stall_seconds),
        browser(s) as looking,
        instance(s, name) as own,
    ):
        if name == "archive" and s.delivery == "exactly_once":
            _require_store(s, clock, stop)
        job, topics = _job(s, name, looking, own)
        done: Callable[[], bool] = lambda: False  # noqa: E731
        if until_caught_up:
            until = {p: end for topic in topics for p, end in progress.ends(looking, topic).items()}
            done = lambda: _caught_up(job, looking, name, until)  # noqa: E731
        limit = _ENRICH_BATCH if name == "enrich" else s.batch_records

        def beat(trouble: str | None) -> None:
            pulse.beat(trouble or (None if job.log.joined else "it has not joined its group yet"))

        run(job.log, job, clock=clock, limit=limit, stop=stop, caught_up=done, beat=beat)
    return dict(job.counts)


def _require_store(s: Settings, clock: Clock, stop: Callable[[], bool]) -> None:
    """Return when the store was seen to refuse overwriting. Raises `Misconfigured` where it does not; one that is
    down is waited for as the loop would."""
    archive = store(s)
    for attempt in count(1):
        try:
            require_conditional_writes(archive)
            return
        except RetryLater as error:
            if attempt >= _STORE_TRIES or stop():
                raise
            log.warning("the store cannot be asked yet", attempt=attempt, reason=str(error))
            clock.sleep(pause_before(attempt))


def _caught_up(job: Any, looking: KafkaBrowser, name: str, until: Mapping[Partition, int]) -> bool:
    if isinstance(job, Archive):
        return job.buffered == 0 and progress.remaining(looking, job.positions, until, most=1) == 0
    return progress.has_passed(looking, flow.group(name), until)


def _job(s: Settings, name: str, looking: KafkaBrowser, own: str) -> tuple[Any, Sequence[str]]:
    def open_log(topics: Sequence[str], transactional: bool) -> Callable[[Job], KafkaLog]:
        return lambda job: KafkaLog(
            kafka(s),
            group=flow.group(name),
            topics=topics,
            instance=own,
            rebalance=job,
            transactional=transactional,
            batch_bytes=s.batch_bytes,
        )

    if name == "archive":
        archive = Archive(
            segment,
            open_log=open_log(flow.ARCHIVED, False),
            browser=looking,
            store=store(s),
            clock=SystemClock(),
            segment_bytes=s.segment_bytes,
            segment_seconds=s.segment_seconds,
            buffer_bytes=s.buffer_bytes,
        )
        return archive, flow.ARCHIVED
    handle = _handler(s, name)
    step = flow.step(name)
    opened = open_log([step.reads], True)
    return Transform(step, handle, open_log=opened, browser=looking, clock=SystemClock()), [step.reads]


def _handler(s: Settings, name: str) -> Any:
    if name == "normalise":
        from pipeline.normalise import normalise

        return lambda batch, states: normalise(batch, states=states, now=SystemClock().now())
    if name == "enrich":
        from pipeline.enrich import enrich

        reader = model(s)
        return lambda batch, states: enrich(batch, model=reader, now=SystemClock().now())  # noqa: ARG005 - it remembers nothing
    raise Misconfigured(f"no step is called {name!r} that runs as a worker; there are normalise, enrich and archive")
