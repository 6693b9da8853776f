"""A night's plan, its second tries, and what is said of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.errors import Misconfigured, RetryLater
from pipeline.operate import nightly
from pipeline.operate.nightly import Group

NIGHT = datetime(2026, 11, 21, 3, tzinfo=UTC)
GROUP = Group(host="presse.example", sources=["une", "monde"], date="2026-11-21", window=None)


def said(source: str, error: str | None = None, **counts: int) -> dict[str, Any]:
    return {"source": source, "ok": error is None, "error": error, "seconds": 0.5, **counts}


def test_sources_of_one_host_are_one_group_whatever_their_path_case_or_login() -> None:
    groups = nightly.grouped_by_host(
        [
            ("une", "https://presse.example/une.xml"),
            ("dossier", None),
            ("monde", "https://user:pw@PRESSE.example/monde.xml"),
            ("autre", "http://127.0.0.1:8090/feed"),
            ("lignes", ""),
        ]
    )
    assert groups == [
        {"host": "presse.example", "sources": ["une", "monde"]},
        {"host": "local", "sources": ["dossier", "lignes"]},
        {"host": "127.0.0.1:8090", "sources": ["autre"]},
    ]


@pytest.mark.parametrize(
    ("day", "run_type", "date", "window"),
    [
        (None, "scheduled", "2026-11-21", None),
        (None, "manual", "2026-11-21", None),
        ("2026-11-19", "manual", "2026-11-19", ["2026-11-19T00:00:00+00:00", "2026-11-20T00:00:00+00:00"]),
        (None, "backfill", "2026-11-21", ["2026-11-21T00:00:00+00:00", "2026-11-22T00:00:00+00:00"]),
        ("2026-12-31", "backfill", "2026-12-31", ["2026-12-31T00:00:00+00:00", "2027-01-01T00:00:00+00:00"]),
    ],
)
def test_a_night_pulls_all_that_is_new_unless_it_fills_a_day(
    day: str | None, run_type: str, date: str, window: list[str] | None
) -> None:
    groups = [
        {"host": "presse.example", "sources": ["une", "monde"]},
        {"host": "local", "sources": ["dossier"]},
    ]
    planned = nightly.planned(groups, day=day, run_type=run_type, at=NIGHT)
    assert planned == [{**group, "date": date, "window": window} for group in groups]
    assert json.loads(json.dumps(planned)) == planned


def test_the_night_is_named_by_its_utc_day() -> None:
    at = datetime.fromisoformat("2026-11-21T00:30:00+01:00")
    (group,) = nightly.planned([{"host": "local", "sources": ["a"]}], day=None, run_type="scheduled", at=at)
    assert group["date"] == "2026-11-20"


def test_a_night_without_sources_or_with_a_wrong_date_says_how_to_mend_it() -> None:
    with pytest.raises(Misconfigured, match="DEPECHE_SOURCES"):
        nightly.planned([], day=None, run_type="manual", at=NIGHT)
    with pytest.raises(Misconfigured, match=r"'20 novembre'.*2026-11-20"):
        nightly.planned([{"host": "local", "sources": ["a"]}], day="20 novembre", run_type="manual", at=NIGHT)


def test_a_second_try_fetches_only_what_failed_and_adds_up_both_tries() -> None:
    first = nightly.completed([], [said("une", items=3, rejected=1), said("monde", "timed out", items=2)])
    assert nightly.unfinished(GROUP, []) == ["une", "monde"]
    assert nightly.unfinished(GROUP, first) == ["monde"]
    with pytest.raises(RetryLater, match=r"^monde: timed out$"):
        nightly.require_success(first)

    second = nightly.completed(first, [said("monde", items=5, rejected=0)])
    assert second == [said("une", items=3, rejected=1), said("monde", items=7, rejected=0)]
    assert nightly.unfinished(GROUP, second) == []
    nightly.require_success(second)


def test_a_source_whose_task_died_without_a_word_is_reported_as_failed() -> None:
    other = Group(host="local", sources=["dossier"], date="2026-11-21", window=None)
    reports = nightly.all_reports([GROUP, other], [None, [said("dossier", items=1)]])
    assert [(r["source"], r["ok"]) for r in reports] == [("une", False), ("monde", False), ("dossier", True)]
    assert "task's log" in reports[0]["error"]


def test_the_summary_names_every_failure_and_its_note_fits_airflow() -> None:
    reports = [
        said("une", items=3, rejected=1),
        said("monde", "refused"),
        said("dossier", items=40, rejected=0),
    ]
    night = nightly.summary("2026-11-21", reports, {"seconds": 3}, {"articles": 42, "events": 77, "ok": True})
    assert night["totals"] == {"items": 43, "rejected": 1}
    assert night["failed"] == {"monde": "refused"}
    assert nightly.note(night, "reports/nightly/2026-11-21.json").splitlines() == [
        "**2026-11-21**: 2 of 3 sources fetched",
        "- fetched: 43 items, 1 rejected",
        "- loaded: 42 articles, 77 events",
        "- report: `reports/nightly/2026-11-21.json`",
        "- **failed** monde: refused",
    ]
    long = nightly.summary("2026-11-21", [said(f"s{n}", "x" * 90) for n in range(30)], {}, {})
    assert len(nightly.note(long, "r")) == 1000


def test_a_summary_task_that_is_run_again_keeps_one_report_and_another_run_gets_its_own(
    tmp_path: Path,
) -> None:
    store = MemoryStore()
    night = nightly.summary("2026-11-21", [said("une", items=3)], {}, {})
    later = nightly.summary("2026-11-21", [said("une", items=0)], {}, {})

    keys = [nightly.keep(each, store=store, folder=tmp_path / "nightly") for each in (night, night, later, later)]

    assert keys == ["reports/nightly/2026-11-21.json"] * 2 + ["reports/nightly/2026-11-21.2.json"] * 2
    assert sorted(store.objects) == ["reports/nightly/2026-11-21.2.json", "reports/nightly/2026-11-21.json"]
    assert json.loads(store.get(keys[0])) == night
    assert json.loads((tmp_path / "nightly" / "2026-11-21.json").read_text(encoding="utf-8")) == later
