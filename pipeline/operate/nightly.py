"""One night, over ports: which sources and which day, what to try again, and what is said of it afterwards.

Everything given and returned is JSON, for it travels between tasks; nothing is remembered but in arguments,
so that every task may be run again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit

from pipeline.errors import Misconfigured, RetryLater
from pipeline.ports import ObjectStore

LOCAL = "local"
_NOTE_LIMIT = 1000  # characters; Airflow turns down a longer note

Report = Mapping[str, Any]
"""What became of one source: `source`, `ok`, `error`, and counts, which are the whole numbers in it."""


class Group(TypedDict):
    """Sources of one host, pulled one after the other, and what for."""

    host: str
    sources: list[str]
    date: str
    window: list[str] | None


def grouped_by_host(sources: Iterable[tuple[str, str | None]]) -> list[dict[str, Any]]:
    """Return `{"host", "sources"}` per host of the (name, address) pairs; without address it is "local".

    Whoever works on the groups in parallel makes at most one stream of requests per host.
    """
    groups: dict[str, list[str]] = {}
    for name, address in sources:
        host = urlsplit(address).netloc.rpartition("@")[2].lower() if address else ""
        groups.setdefault(host or LOCAL, []).append(name)
    return [{"host": host, "sources": names} for host, names in groups.items()]


def planned(groups: Sequence[Mapping[str, Any]], *, day: str | None, run_type: str, at: datetime) -> list[Group]:
    """Return the groups with the night's date and window [00:00, 24:00) UTC.

    A run that was given a `day`, or fills a gap (run type `backfill`), pulls what was published that day;
    any other pulls all that is new and has no window. Raises `Misconfigured` without sources or with a date
    that is none.
    """
    if not groups:
        raise Misconfigured("No source is declared: add one to the file that DEPECHE_SOURCES names.")
    wanted = day or (at.astimezone(UTC).date().isoformat() if run_type == "backfill" else None)
    named = wanted or at.astimezone(UTC).date().isoformat()
    window = _window(wanted) if wanted else None
    return [
        Group(host=str(group["host"]), sources=list(group["sources"]), date=named, window=window) for group in groups
    ]


def _window(day: str) -> list[str]:
    try:
        start = datetime.combine(date.fromisoformat(day), time(), tzinfo=UTC)
    except ValueError as error:
        raise Misconfigured(f"The parameter date is {day!r}; it must be a day like 2026-11-20.") from error
    return [start.isoformat(), (start + timedelta(days=1)).isoformat()]


def unfinished(group: Group, earlier: Iterable[Report]) -> list[str]:
    """Return the sources of the group that no earlier try finished."""
    done = {report["source"] for report in earlier if report["ok"]}
    return [name for name in group["sources"] if name not in done]


def completed(earlier: Iterable[Report], fresh: Iterable[Report]) -> list[dict[str, Any]]:
    """Return one report per source: what the last try says of it, its counts added over all tries."""
    out = {report["source"]: dict(report) for report in earlier}
    for report in fresh:
        counts = _counts(out.get(report["source"], {}))
        both = {key: counts.get(key, 0) + value for key, value in _counts(report).items()}
        out[report["source"]] = {**report, **both}
    return list(out.values())


def require_success(reports: Iterable[Report]) -> None:
    """Raise `RetryLater` naming the sources that failed and why; another try fetches only those."""
    failed = _failures(reports)
    if failed:
        raise RetryLater("; ".join(f"{name}: {error}" for name, error in failed.items()))


def all_reports(groups: Iterable[Group], pulled: Iterable[Sequence[Report] | None]) -> list[dict[str, Any]]:
    """Return one report per planned source; one whose task died before it could report is a failure."""
    said = {report["source"]: dict(report) for reports in pulled for report in reports or ()}
    silent = "its task ended without a report; see the task's log"
    return [
        said.get(name, {"source": name, "ok": False, "error": silent}) for group in groups for name in group["sources"]
    ]


def summary(
    day: str, reports: Sequence[Report], waited: Mapping[str, Any], loaded: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the report of the night: totals, what failed, and the reports it is made of."""
    totals: dict[str, int] = {}
    for report in reports:
        for key, value in _counts(report).items():
            totals[key] = totals.get(key, 0) + value
    return {
        "date": day,
        "totals": totals,
        "failed": _failures(reports),
        "sources": [dict(report) for report in reports],
        "waited": dict(waited),
        "loaded": dict(loaded),
    }


def note(night: Mapping[str, Any], where: str) -> str:
    """Return the night in a few lines of Markdown, at most 1000 characters."""
    failed, sources = night["failed"], night["sources"]
    lines = [
        f"**{night['date']}**: {len(sources) - len(failed)} of {len(sources)} sources fetched",
        f"- fetched: {_listed(night['totals'])}",
        f"- loaded: {_listed(_counts(night['loaded']))}",
        f"- report: `{where}`",
        *(f"- **failed** {name}: {error}" for name, error in failed.items()),
    ]
    text = "\n".join(lines)
    return text if len(text) <= _NOTE_LIMIT else text[: _NOTE_LIMIT - 1] + "…"


def keep(night: Mapping[str, Any], *, store: ObjectStore, folder: Path) -> str:
    """Write the report to `<folder>/<date>.json` and to the store, and return its name there.

    The store is never overwritten: a second run of the same date that has something else to say becomes
    `reports/nightly/<date>.2.json`, and so on. A task that is run again with the same arguments adds nothing.
    """
    data = json.dumps(night, ensure_ascii=False, indent=2, sort_keys=True).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{night['date']}.json").write_bytes(data)
    number = 1
    while True:
        key = f"reports/nightly/{night['date']}{'' if number == 1 else f'.{number}'}.json"
        if store.create(key, data) or store.get(key) == data:
            return key
        number += 1


def _failures(reports: Iterable[Report]) -> dict[str, str]:
    return {r["source"]: str(r.get("error") or "no reason given") for r in reports if not r["ok"]}


def _counts(report: Mapping[str, Any]) -> dict[str, int]:
    return {key: value for key, value in report.items() if type(value) is int}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in counts.items()) or "nothing"
