"""Settings → the wired line. The only room that knows the real classes; cli, DAGs and tests call it.

What it offers is imported when it is first asked for: `depeche extract` needs no broker's and no warehouse's code.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
        plan_night,
        require_success,
        wait_until_archived,
    )
    from pipeline.bootstrap.questions import (
        diagnosis,
        line_status,
        mended,
        query,
        verdict,
    )
    from pipeline.bootstrap.reading import extracted, model
    from pipeline.bootstrap.rejections import rejections, retry_rejected
    from pipeline.bootstrap.replaying import (
        compare_versions,
        load_warehouse,
        roll_back,
        start_replay,
        switch_version,
        version_table,
    )
    from pipeline.bootstrap.wiring import (
        NIGHT,
        airflow,
        archived_positions,
        browser,
        catalogue,
        clock,
        instance,
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

_HOMES = {
    "fetching": (
        "fetch_sources",
        "source_table",
    ),
    "local": (
        "services_down",
        "services_up",
    ),
    "night": (
        "day_window",
        "fetch_group",
        "fetched_ends",
        "finish_night",
        "last_night",
        "plan_night",
        "require_success",
        "wait_until_archived",
    ),
    "questions": (
        "diagnosis",
        "line_status",
        "mended",
        "query",
        "verdict",
    ),
    "reading": (
        "extracted",
        "model",
    ),
    "replaying": (
        "compare_versions",
        "load_warehouse",
        "roll_back",
        "start_replay",
        "switch_version",
        "version_table",
    ),
    "rejections": ("rejections", "retry_rejected"),
    "wiring": (
        "NIGHT",
        "airflow",
        "archived_positions",
        "browser",
        "catalogue",
        "clock",
        "instance",
        "next_night",
        "prepare",
        "secret",
        "settings",
        "store",
        "warehouse",
    ),
    "workers": ("run_step",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"pipeline.bootstrap.{module}"), name)
    raise AttributeError(f"pipeline.bootstrap has no {name}")


__all__ = [
    "NIGHT",
    "airflow",
    "archived_positions",
    "browser",
    "catalogue",
    "clock",
    "compare_versions",
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
    "mended",
    "model",
    "next_night",
    "plan_night",
    "prepare",
    "query",
    "rejections",
    "require_success",
    "retry_rejected",
    "roll_back",
    "run_step",
    "secret",
    "services_down",
    "services_up",
    "settings",
    "source_table",
    "start_replay",
    "store",
    "switch_version",
    "verdict",
    "version_table",
    "wait_until_archived",
    "warehouse",
]
