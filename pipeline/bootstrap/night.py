"""The night, as Airflow's tasks call it: everything given and returned is JSON."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import structlog

from pipeline import flow
from pipeline.adapters.clock import SystemClock
from pipeline.archive import chain_end
from pipeline.bootstrap.fetching import fetch_sources
from pipeline.bootstrap.wiring import airflow, browser, catalogue, secret, settings, store
from pipeline.operate import catching_up, nightly
from pipeline.settings import Settings

log = structlog.get_logger(__name__)


def plan_night(day: str | None, run_type: str, at: datetime) -> list[nightly.Group]:
    """Return the groups of sources, one per host, and the window of the run."""
    pairs = [(source.name, source.url) for source in catalogue(settings())]
    return nightly.planned(nightly.grouped_by_host(pairs), day=day, run_type=run_type, at=at)


def fetch_group(group: nightly.Group, earlier: Sequence[nightly.Report]) -> list[dict[str, Any]]:
    """Pull the sources of one host that no earlier try finished, and return a report of each source."""
    fresh = fetch_sources(nightly.unfinished(group, earlier), group["window"])
    return nightly.completed(earlier, fresh)


def require_success(reports: Sequence[nightly.Report]) -> None:
    """Raise `RetryLater` when a source failed."""
    nightly.require_success(reports)


def fetched_ends() -> dict[str, int]:
    """Return where the fetched articles end now."""
    with browser(settings()) as looking:
        return catching_up.fetched_ends(looking)


def wait_until_archived(ends: Mapping[str, int], timeout_seconds: float) -> dict[str, Any]:
    """Return when all that was fetched before `ends` is in segments. Raises `RetryLater` after the time."""
    s = settings()
    archive = store(s)
    with browser(s) as looking:
        bounds = {p: found for topic in flow.ARCHIVED for p, found in looking.bounds(topic).items()}
        return catching_up.wait_until_archived(
            ends,
            browser=looking,
            archived=lambda p: chain_end(archive, p, *bounds.get(p, (0, None))),
            clock=SystemClock(),
            timeout=timeout_seconds,
        )


def finish_night(
    groups: Sequence[nightly.Group],
    pulled: Sequence[Sequence[nightly.Report] | None],
    waited: Mapping[str, Any],
    loaded: Mapping[str, Any],
    task: Sequence[str],
) -> str:
    """Write the report of the night and leave it as a note on the task; return its name in the bucket."""
    s = settings()
    night = nightly.summary(groups[0]["date"], nightly.all_reports(groups, pulled), waited, loaded)
    where = nightly.keep(night, store=store(s), folder=s.home / "reports" / "nightly")
    if secret(s, "airflow_password") is None:
        log.warning("no note is left on the task: DEPECHE_AIRFLOW_PASSWORD is not set", report=where)
        return where
    with airflow(s) as client:
        client.annotate(*task, nightly.note(night, where))
    return where


def last_night(s: Settings) -> dict[str, Any] | None:
    """Return the newest nightly report kept here."""
    reports = sorted((s.home / "reports" / "nightly").glob("*.json"), key=lambda p: p.stat().st_mtime)
    return dict(json.loads(reports[-1].read_text(encoding="utf-8"))) if reports else None


def day_window(day: date) -> tuple[str, str]:
    """Return [00:00, 24:00) UTC of a day, as two instants in ISO 8601."""
    planned = nightly.planned(
        [{"host": "-", "sources": []}], day=day.isoformat(), run_type="manual", at=SystemClock().now()
    )
    window = planned[0]["window"] or ["", ""]
    return window[0], window[1]
