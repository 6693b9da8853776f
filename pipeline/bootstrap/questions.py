"""What people ask a line, wired: status, verify, doctor, SQL."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipeline.adapters.clock import SystemClock
from pipeline.bootstrap.night import last_night
from pipeline.bootstrap.reading import model
from pipeline.bootstrap.wiring import airflow, archived_positions, browser, catalogue, settings, store, warehouse
from pipeline.settings import Settings, secret_files


def line_status() -> dict[str, Any]:
    """Return lag, rates, rejections and the last night."""
    from pipeline.adapters.supervisor import LocalServices
    from pipeline.operate.status import status

    s = settings()
    with browser(s) as looking:
        found = status(looking, archived=lambda ps: archived_positions(s, looking, list(ps)), now=SystemClock().now())
    return found | {"last_night": last_night(s), "services": LocalServices(s, SystemClock()).states()}


def verdict(say: Callable[[str], None], *, store_only: bool = False, **wanted: Any) -> Any:
    """Check every invariant over store, log and tables, of the live line and, without a range, of every version.

    `wanted` are the fields of a `Range`.
    """
    from functools import partial

    from pipeline.operate.verify import Range, verify
    from pipeline.operate.version_check import with_versions

    s = settings()
    span = Range(**wanted)
    if store_only:
        return verify(store(s), wanted=span, progress=say)
    with ExitStack() as stack:
        looking = stack.enter_context(browser(s))
        tables = None
        if s.warehouse_path.exists():
            tables = stack.enter_context(warehouse(s, read_only=True))
        check = partial(verify, wanted=span, progress=say)
        return with_versions(check, store(s), looking, tables, every=span.everything)


def query(sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Return what the warehouse answers."""
    with warehouse(settings(), read_only=True) as tables:
        return tables.query(sql)


def diagnosis() -> list[Any]:
    """Return a finding for every setting and service."""
    import os
    import shutil

    from pipeline.operate import doctor

    s = settings()
    given = {name for name in type(s).model_fields if f"DEPECHE_{name.upper()}" in os.environ}
    given |= {name for name, _, _ in secret_files()}
    out = doctor.settings_found({name: getattr(s, name) for name in type(s).model_fields}, given)
    out += doctor.secret_files({variable: file.stat().st_mode for _, variable, file in secret_files()})
    out.append(doctor.examine("sources", lambda: f"{len(catalogue(s))} sources are declared"))
    out.append(doctor.examine("model", lambda: "{0.name} {0.version}, SHA-256 {0.sha256}".format(model(s).info)))
    with browser(s) as looking:
        out.append(doctor.examine("Kafka", lambda: doctor.topics(looking)))
    out.append(doctor.examine("S3", lambda: doctor.conditional_writes(store(s))))
    out.append(doctor.examine("Airflow", lambda: airflow_health(s)))
    free = shutil.disk_usage(s.home if s.home.exists() else Path()).free // 2**20
    level: doctor.Level = "ok" if free > 2_000 else "warning"
    out.append(doctor.Finding("disk", level, f"{free} MiB are free under DEPECHE_HOME"))
    return out


def airflow_health(s: Settings) -> str:
    with airflow(s) as client:
        return str(client.health())
