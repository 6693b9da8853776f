"""Each night at 03:00 UTC: pull all sources, wait until the line has archived them, load them, report.

A dead source fails its `fetch` task and no other; the report names it. A missed night is filled with
`airflow dags trigger nightly_ingest --conf '{"date": "2026-11-20"}'`. More in docs/airflow.md.
"""

from datetime import timedelta

import depeche_tasks as do
from airflow.sdk import Asset, CronTriggerTimetable, Param, dag, task

# Without a start date the first run is the next 03:00, not the one that passed before the installation.
NIGHTS = CronTriggerTimetable("0 3 * * *", timezone="UTC", run_immediately=timedelta(minutes=10))
RETRIES = {"retries": 3, "retry_delay": timedelta(seconds=20), "retry_exponential_backoff": 2.0}
HOST = "{{ task.op_kwargs['group']['host'] }}"


@dag(
    schedule=NIGHTS,
    catchup=False,  # the next run pulls all that is new anyway; a lost day is filled by its date
    max_active_runs=1,  # with one task per host, one stream of requests per host
    params={"date": Param(None, type=["null", "string"], format="date", description="fill this day")},
    default_args={"owner": "depeche", **RETRIES},
    tags=["depeche", "ingest"],
    doc_md=__doc__,
)
def nightly_ingest() -> None:
    groups = task(do.plan)()
    fetch = task(map_index_template=HOST, max_active_tis_per_dag=4)(do.fetch)
    ends = task(trigger_rule="all_done")(do.take_ends)()
    archived = task(do.wait)(ends)
    loaded = task(outlets=[Asset("segments", uri="depeche://segments")])(do.load)()
    fetch.expand(group=groups) >> ends
    archived >> loaded
    task(do.summarise)(groups, archived, loaded)


nightly_ingest()
