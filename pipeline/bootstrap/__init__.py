"""Settings → the wired line. The only room that knows the real classes; cli, DAGs and tests call it."""

from pipeline.bootstrap.fetching import (
    fetch_sources,
    source_table,
)
from pipeline.bootstrap.local import (
    services_down,
    services_up,
)
from pipeline.bootstrap.night import (
    day_window,
    fetch_group,
    fetched_ends,
    finish_night,
    last_night,
    load_warehouse,
    plan_night,
    require_success,
    wait_until_archived,
)
from pipeline.bootstrap.questions import (
    diagnosis,
    extracted,
    line_status,
    query,
    retry_rejected,
    verdict,
)
from pipeline.bootstrap.wiring import (
    NIGHT,
    airflow,
    archived_positions,
    browser,
    catalogue,
    clock,
    instance,
    model,
    next_night,
    prepare,
    secret,
    settings,
    store,
    warehouse,
)
from pipeline.bootstrap.workers import (
    run_step,
)

__all__ = [
    "NIGHT",
    "airflow",
    "archived_positions",
    "browser",
    "catalogue",
    "clock",
    "day_window",
    "diagnosis",
    "extracted",
    "fetch_group",
    "fetch_sources",
    "fetched_ends",
    "finish_night",
    "instance",
    "last_night",
    "line_status",
    "load_warehouse",
    "model",
    "next_night",
    "plan_night",
    "prepare",
    "query",
    "require_success",
    "retry_rejected",
    "run_step",
    "secret",
    "services_down",
    "services_up",
    "settings",
    "source_table",
    "store",
    "verdict",
    "wait_until_archived",
    "warehouse",
]
