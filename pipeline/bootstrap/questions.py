"""What people ask a line, wired: status, verify, doctor, SQL."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipeline import flow
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka import KafkaEnds, KafkaProbe, topic_settings
from pipeline.adapters.kafka.connection import TRANSACTION_TIMEOUT_MS
from pipeline.adapters.s3_probe import S3Probe
from pipeline.bootstrap.night import last_night
from pipeline.bootstrap.reading import model
from pipeline.bootstrap.wiring import airflow, archived_positions, browser, catalogue, kafka, settings, store, warehouse
from pipeline.errors import DepecheError
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
    out += _line_findings(s)
    out.append(doctor.examine("Airflow", lambda: airflow_health(s)))
    free = shutil.disk_usage(s.home if s.home.exists() else Path()).free // 2**20
    level: doctor.Level = "ok" if free > 2_000 else "warning"
    out.append(doctor.Finding("disk", level, f"{free} MiB are free under DEPECHE_HOME"))
    return out


def _line_findings(s: Settings) -> list[Any]:
    """Return what was found of store and log, and what can be promised with it."""
    from pipeline.operate import doctor, doctor_log, doctor_store
    from pipeline.operate.doctor_log import GROUP_POSITIONS
    from pipeline.operate.mending import SUBJECT as ENDS
    from pipeline.operate.mending import ends_found

    archive, probe = store(s), KafkaProbe(kafka(s))
    out: list[doctor.Finding] = [doctor.examine("S3", lambda: doctor.bucket(archive, s.s3_bucket))]
    if out[-1].level == "ok":
        out += doctor_store.store_findings(archive, S3Probe(archive), now=SystemClock().now)
    wanted = {topic: topic_settings(compacted=False) for topic in (*flow.FACTS, *flow.REJECTED)}
    wanted |= {topic: topic_settings(compacted=True) for topic in flow.STATES}
    replicas = in_sync = 0
    try:
        replicas, in_sync = doctor_log.weakest_replication(probe, wanted)
    except DepecheError as error:
        out.append(doctor.Finding("Kafka brokers", "error", str(error)))
    else:
        out += doctor_log.broker_findings(probe, wanted, transaction_timeout_ms=TRANSACTION_TIMEOUT_MS)
        for topics in (list(wanted), [GROUP_POSITIONS]):
            try:
                out.append(ends_found(KafkaEnds(kafka(s)), topics))
            except DepecheError as error:
                # It takes rights that whoever only looks need not have.
                where = ", ".join(topics)
                out.append(doctor.Finding(ENDS, "warning", f"the ends in {where} could not be looked at: {error}"))
    return [*out, doctor.promise(out, replicas=replicas, in_sync=in_sync, delivery=s.delivery)]


def mended() -> list[Any]:
    """Write the ends of transactions that the brokers never wrote, and return what was written where."""
    from pipeline.operate.doctor_log import GROUP_POSITIONS
    from pipeline.operate.mending import mend

    return mend(KafkaEnds(kafka(settings())), [*flow.FACTS, *flow.REJECTED, *flow.STATES, GROUP_POSITIONS])


def airflow_health(s: Settings) -> str:
    with airflow(s) as client:
        return str(client.health())
