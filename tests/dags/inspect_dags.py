"""Parse the DAG folder given as argument as Airflow's dag-processor does, and print what is in it as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag

HEAVY = {"pipeline", "kafka", "boto3", "onnxruntime", "transformers", "duckdb", "pyarrow", "httpx"}


def described(dag: Any) -> dict[str, Any]:
    return {
        "owner": dag.owner,
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "catchup": dag.catchup,
        "start_date": dag.start_date,
        "max_active_runs": dag.max_active_runs,
        "timezone": str(dag.timezone),
        "cron": getattr(dag.timetable, "expression", None),
        "assets": assets(dag.timetable.asset_condition),
        "params": dag.params.dump(),
        "tasks": {task.task_id: task_described(task) for task in dag.tasks},
    }


def assets(condition: Any) -> list[str]:
    return [asset.uri for asset in condition.objects] if condition else []


def task_described(task: Any) -> dict[str, Any]:
    return {
        "after": sorted(task.upstream_task_ids),
        "mapped": task.is_mapped,
        "retries": task.retries,
        "backoff": task.retry_exponential_backoff,
        "rule": str(task.trigger_rule.value),
        "updates": [asset.uri for asset in task.outlets],
        "at_once": task.max_active_tis_per_dag,
    }


def main(folder: Path) -> None:
    before = set(sys.modules)
    bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags")
    imported = {name.split(".")[0] for name in set(sys.modules) - before}
    found = {
        "errors": bag.import_errors,
        "seconds": sum(stat.duration.total_seconds() for stat in bag.dagbag_stats),
        "heavy": sorted(imported & HEAVY),
        "dags": {name: described(dag) for name, dag in bag.dags.items()},
    }
    print(json.dumps(found))


main(Path(sys.argv[1]))
