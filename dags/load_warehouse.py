"""Bring the warehouse up to date with all closed segments, those that came after the night's load too.

Loading is exactly-once: a run that finds nothing new changes nothing. More in docs/airflow.md.
"""

from datetime import timedelta

import depeche_tasks as do
from airflow.sdk import Asset, dag, task


@dag(
    schedule=[Asset("segments", uri="depeche://segments")],  # `nightly_ingest` updates it
    catchup=False,  # a load takes in everything there is: there is nothing to catch up on
    max_active_runs=1,
    default_args={"owner": "depeche", "retries": 3, "retry_delay": timedelta(seconds=20)},
    tags=["depeche", "load"],
    doc_md=__doc__,
)
def load_warehouse() -> None:
    task(do.load)()


load_warehouse()
