"""What the DAG files say, as Airflow reads them, and what reading them costs."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
DAGS = HERE.parents[1] / "dags"
DOCS = HERE.parents[1] / "docs" / "airflow.md"


def airflow(*command: str, home: Path, timeout: float = 120) -> str:
    """Return what a Python process with an Airflow of its own prints, which must end well."""
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(HERE.parents[1]),
        "COLUMNS": "400",  # what the command line prints is not folded
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))} | own
    done = subprocess.run(
        [sys.executable, *command],
        env=env,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    said = airflow("-W", "error", str(HERE / "inspect_dags.py"), str(DAGS), home=home)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


@pytest.mark.parametrize("file", sorted(DAGS.glob("*.py")), ids=lambda file: file.name)
def test_a_file_of_the_dag_folder_is_at_most_forty_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 40


def test_the_dags_are_read_without_error_or_warning_and_without_the_package_or_a_client(
    parsed: dict[str, Any],
) -> None:
    assert parsed["errors"] == {}
    assert sorted(parsed["dags"]) == ["load_warehouse", "nightly_ingest"]
    assert parsed["heavy"] == []
    assert parsed["seconds"] < 5


@pytest.mark.parametrize("name", ["load_warehouse", "nightly_ingest"])
def test_each_dag_has_an_owner_tags_retries_documentation_and_does_not_catch_up(
    parsed: dict[str, Any], name: str
) -> None:
    dag = parsed["dags"][name]
    assert dag["owner"] == "depeche"
    assert "depeche" in dag["tags"]
    assert "docs/airflow.md" in dag["doc"]
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1
    assert all(task["retries"] == 3 for task in dag["tasks"].values())


def test_the_night_is_at_three_utc_and_an_installation_at_noon_does_not_run_the_one_that_passed(
    parsed: dict[str, Any],
) -> None:
    dag = parsed["dags"]["nightly_ingest"]
    assert (dag["cron"], dag["timezone"]) == ("0 3 * * *", "UTC")
    assert dag["start_date"] is None
    assert dag["params"] == {"date": None}


def test_the_night_goes_on_past_a_failed_host_and_its_load_updates_what_triggers_load_warehouse(
    parsed: dict[str, Any],
) -> None:
    tasks = parsed["dags"]["nightly_ingest"]["tasks"]
    assert {name: task["after"] for name, task in tasks.items()} == {
        "plan": [],
        "fetch": ["plan"],
        "take_ends": ["fetch"],
        "wait": ["take_ends"],
        "load": ["wait"],
        "summarise": ["load", "plan", "wait"],
    }
    assert [name for name, task in tasks.items() if task["rule"] == "all_done"] == ["take_ends"]
    assert tasks["fetch"]["mapped"]
    assert tasks["fetch"]["at_once"] == 4
    assert tasks["fetch"]["backoff"] == 2.0
    assert tasks["load"]["updates"] == parsed["dags"]["load_warehouse"]["assets"] == ["depeche://segments/"]


def documented_commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for line in "".join(blocks).splitlines() if line.startswith("airflow ")]


def test_a_night_with_a_dead_source_tries_it_again_alone_loads_the_rest_and_names_it(tmp_path: Path) -> None:
    airflow("-m", "airflow", "db", "migrate", home=tmp_path)
    said = airflow(str(HERE / "run_a_night.py"), "2026-11-20", home=tmp_path)
    night = json.loads(said.splitlines()[-1])

    assert night["state"] == "success"
    assert night["tasks"].pop("fetch[1]") == ["failed", 2]
    assert set(map(tuple, night["tasks"].values())) == {("success", 1)}
    fetched = [names for step, names in night["asked"] if step == "fetch"]
    assert sorted(fetched) == [["alive", "dead"], ["dead"], ["une", "monde"]]
    assert fetched.index(["alive", "dead"]) < fetched.index(["dead"])
    assert [step for step, _ in night["asked"][3:]] == ["ends", "wait", "load", "finish", "note on"]
    assert ["wait", {"news.article.fetched[0]": 4}] in night["asked"]
    assert ["note on", ["nightly_ingest", night["run_id"], "summarise"]] in night["asked"]
    (summary,) = (said for step, said in night["asked"] if step == "finish")
    assert summary["date"] == "2026-11-20"
    assert summary["failed"] == {"dead": "refused"}
    assert [(r["source"], r["ok"], r["items"]) for r in summary["sources"]] == [
        ("une", True, 1),
        ("monde", True, 1),
        ("alive", True, 1),
        ("dead", False, 2),
    ]
    assert summary["loaded"] == {"articles": 3}

    # The commands of the documentation, on the Airflow that now knows the DAGs.
    trigger, backfill = (airflow("-m", *command, home=tmp_path) for command in documented_commands())
    assert "2026-11-20" in trigger
    assert [day for day in range(17, 23) if f"backfill__2026-11-{day}T03:00:00" in backfill] == [18, 19, 20]
