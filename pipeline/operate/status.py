"""Where the line stands: how far each step is behind, how fast it goes, what it turned down."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pipeline import flow, progress
from pipeline.operate import rejected
from pipeline.ports import LogBrowser, Partition

_RATE_WINDOW = timedelta(minutes=1)
_MOST = 100_000


def status(
    browser: LogBrowser, *, archived: Callable[[Iterable[Partition]], Mapping[Partition, int]], now: datetime
) -> dict[str, Any]:
    """Return lag and rate of each streaming step, rejections by stage and reason, and records per topic.

    `archived` gives the ends of the segment chains. Lag is a count of records, at most 100,000.
    """
    return {
        "steps": [_step(browser, each, archived, now) for each in flow.STEPS if each.reads in flow.FACTS],
        "topics": {topic: _records(browser, topic) for topic in (*flow.FACTS, *flow.REJECTED)},
        "rejected": rejected.counts(rejected.entries(browser)),
    }


def _step(
    browser: LogBrowser,
    step: flow.Step,
    archived: Callable[[Iterable[Partition]], Mapping[Partition, int]],
    now: datetime,
) -> dict[str, Any]:
    topics = flow.ARCHIVED if step.name == "archive" else (step.reads,)
    lag = per_minute = 0
    for topic in topics:
        until = progress.ends(browser, topic)
        at = archived(until) if step.name == "archive" else browser.committed(flow.group(step.name), topic)
        lag += progress.remaining(browser, at, until, most=_MOST)
        per_minute += _recent(browser, at, now)
    return {"step": step.name, "reads": ", ".join(topics), "lag": lag, "records_last_minute": per_minute}


def _recent(browser: LogBrowser, at: Mapping[Partition, int], now: datetime) -> int:
    """Return how many of the records already passed were written to the log within the last minute."""
    count = 0
    for partition, end in at.items():
        # The youngest stand last: a window of offsets bounds what is read.
        for record in browser.read(partition, max(0, end - 2_000), end):
            count += record.timestamp >= now - _RATE_WINDOW
    return count


def _records(browser: LogBrowser, topic: str) -> int:
    return sum(progress.remaining(browser, {p: s}, {p: e}, most=_MOST) for p, (s, e) in browser.bounds(topic).items())
