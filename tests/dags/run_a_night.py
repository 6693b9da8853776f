"""Run the DAG `nightly_ingest` in Airflow, in one process, on a line where one source of one host is dead.

The line stands in for `pipeline.bootstrap`, so that what is shown is what the DAG does: what runs in which
order, what is tried again, what is handed on. Prints what the line was asked, and the tasks' states, as JSON.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag

from pipeline.operate import nightly


class Line(ModuleType):
    """What the tasks import as `pipeline.bootstrap`."""

    require_success = staticmethod(nightly.require_success)

    def __init__(self) -> None:
        super().__init__("pipeline.bootstrap")
        self.asked: list[tuple[str, Any]] = []

    def plan_night(self, day: str | None, run_type: str, at: datetime) -> list[nightly.Group]:
        hosts = {"presse.example": ["une", "monde"], "dead.example": ["alive", "dead"]}
        groups = [{"host": host, "sources": sources} for host, sources in hosts.items()]
        return nightly.planned(groups, day=day, run_type=run_type, at=at)

    def fetch_group(self, group: nightly.Group, earlier: Sequence[nightly.Report]) -> list[dict[str, Any]]:
        names = nightly.unfinished(group, earlier)
        self.asked.append(("fetch", names))
        errors = {"dead": "refused"}
        fresh = [{"source": n, "ok": n not in errors, "error": errors.get(n), "items": 1} for n in names]
        return nightly.completed(earlier, fresh)

    def fetched_ends(self) -> dict[str, int]:
        self.asked.append(("ends", None))
        return {"news.article.fetched[0]": 4}

    def wait_until_archived(self, ends: Mapping[str, int], timeout_seconds: float) -> dict[str, Any]:
        self.asked.append(("wait", ends))
        return {"archived": ends}

    def load_warehouse(self) -> dict[str, int]:
        self.asked.append(("load", None))
        return {"articles": 3}

    def finish_night(
        self,
        groups: Sequence[nightly.Group],
        pulled: Sequence[Sequence[nightly.Report] | None],
        waited: Mapping[str, Any],
        loaded: Mapping[str, Any],
        task: tuple[str, str, str],
    ) -> dict[str, Any]:
        reports = nightly.all_reports(groups, pulled)
        self.asked.append(("finish", nightly.summary(groups[0]["date"], reports, waited, loaded)))
        self.asked.append(("note on", task))
        return {}


def main(day: str) -> None:
    import pipeline

    line = Line()
    pipeline.bootstrap = sys.modules["pipeline.bootstrap"] = line  # type: ignore[attr-defined]
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    dag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder").dags["nightly_ingest"]
    fetch: Any = dag.get_task("fetch")
    fetch.partial_kwargs |= {"retries": 1, "retry_delay": timedelta(seconds=0.1)}
    run = dag.test(run_conf={"date": day})
    tasks = {f"{ti.task_id}[{ti.map_index}]": [ti.state, ti.try_number] for ti in run.get_task_instances()}
    print(json.dumps({"state": run.state, "run_id": run.run_id, "tasks": tasks, "asked": line.asked}))


main(sys.argv[1])
