"""What the tasks of the DAGs do: hand what Airflow knows to the package, and back."""

from typing import Any


def line() -> Any:
    """Return the wired package, imported where a task runs: parsing a DAG must not cost it."""
    from pipeline import bootstrap

    return bootstrap


def plan(params: Any = None, dag_run: Any = None) -> Any:
    return line().plan_night(params["date"], dag_run.run_type, dag_run.logical_date or dag_run.run_after)


def fetch(group: Any, ti: Any = None, task_state_store: Any = None) -> None:
    reports = line().fetch_group(group, task_state_store.get("reports", []))
    task_state_store.set("reports", reports)  # the next try fetches only what failed in this one
    ti.xcom_push(key="reports", value=reports)  # travels on even when the next line fails the task
    line().require_success(reports)


def take_ends() -> Any:
    return line().fetched_ends()


def wait(ends: Any) -> Any:
    return line().wait_until_archived(ends, timeout_seconds=1800)


def load() -> Any:
    return line().load_warehouse()


def summarise(groups: Any, waited: Any, loaded: Any, ti: Any = None) -> Any:
    reports = ti.xcom_pull(task_ids=["fetch"], key="reports")
    return line().finish_night(groups, reports, waited, loaded, (ti.dag_id, ti.run_id, ti.task_id))
