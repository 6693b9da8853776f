"""Settings → adapters: one function per port."""

import fcntl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import structlog

from pipeline import flow
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.kafka import KafkaAccess, KafkaBrowser, create_topics
from pipeline.adapters.s3 import S3Store
from pipeline.adapters.supervisor import local_secrets
from pipeline.archive import chain_end
from pipeline.errors import Misconfigured, RetryLater
from pipeline.fetch import KINDS, Source, read_catalogue
from pipeline.ports import Clock, Partition
from pipeline.settings import Settings

log = structlog.get_logger(__name__)

NIGHT = "nightly_ingest"
"""The DAG in dags/ that pulls all sources."""

_WAREHOUSE_PATIENCE_S = 20.0
"""A night's own load and that of the DAG `load_warehouse` follow each other within a second."""


def settings() -> Settings:
    """Return the settings of this process. Raises `Misconfigured`."""
    return Settings.from_env()


def clock() -> Clock:
    """Return the machine's clock."""
    return SystemClock()


def secret(s: Settings, name: str) -> str | None:
    """Return a password: the one set, or that of the local services if there are any."""
    given = _set(s, name)
    if given is not None:
        return given
    return local_secrets(s.home).get(name) if (s.home / "secrets.json").exists() else None


def _set(s: Settings, name: str) -> str | None:
    given = getattr(s, name)
    return None if given is None else str(given.get_secret_value())


def kafka(s: Settings) -> KafkaAccess:
    """Return the way to the broker. Raises `Misconfigured` for settings that do not fit together."""
    return KafkaAccess(
        s.kafka_bootstrap,
        security=s.kafka_security,
        mechanism=s.kafka_sasl_mechanism,
        user=s.kafka_user,
        password=_set(s, "kafka_password"),
        ca_file=s.kafka_ca_file,
        certificate_file=s.kafka_certificate_file,
        key_file=s.kafka_key_file,
    )


def store(s: Settings) -> S3Store:
    """Return the archive's bucket. Elsewhere than here, what is not set is left to boto3's own chain."""
    known = secret if s.s3_endpoint == f"http://127.0.0.1:{s.s3_port}" else _set
    return S3Store(
        s.s3_bucket,
        endpoint=None if s.s3_endpoint == "aws" else s.s3_endpoint,
        region=s.s3_region,
        access_key=known(s, "s3_access_key"),
        secret_key=known(s, "s3_secret_key"),
        session_token=_set(s, "s3_session_token"),
        ca_file=s.s3_ca_file,
    )


def catalogue(s: Settings) -> list[Source]:
    """Return the declared sources. Raises `Misconfigured`."""
    try:
        text = s.sources.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"{s.sources} cannot be read ({error.strerror}); set DEPECHE_SOURCES") from error
    variables = {"DEPECHE_FEED_URL": s.feed_url}
    return read_catalogue(text, where=str(s.sources), variables=variables, kinds=KINDS)


def prepare(s: Settings) -> list[str]:
    """Create topics and bucket that are missing; return the names of the new topics."""
    store(s).ensure_bucket()
    return create_topics(
        kafka(s),
        [*flow.FACTS, *flow.REJECTED],
        compacted=flow.STATES,
        partitions=s.kafka_partitions,
        replication=s.kafka_replication,
    )


@contextmanager
def warehouse(s: Settings, *, read_only: bool = False) -> Iterator[DuckDbWarehouse]:
    """Yield the tables. DuckDB lets one writer have the file: a short turn of another is waited for."""
    waiting, deadline = SystemClock(), SystemClock().monotonic() + _WAREHOUSE_PATIENCE_S
    while True:
        try:
            opened = DuckDbWarehouse(s.warehouse_path, read_only=read_only)
            break
        except RetryLater:
            if waiting.monotonic() >= deadline:
                raise
            waiting.sleep(0.2)
    with closing(opened):
        yield opened


@contextmanager
def browser(s: Settings) -> Iterator[KafkaBrowser]:
    """Yield a way to look at the log."""
    with closing(KafkaBrowser(kafka(s))) as opened:
        yield opened


@contextmanager
def instance(s: Settings, name: str) -> Iterator[str]:
    """Yield a name for this worker that survives its restart and that no other worker here has.

    A stable name lets a restarted worker take over its own partitions, and fence what is left of itself.
    """
    if s.instance is not None:
        yield s.instance
        return
    folder = s.home / "instances"
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        with (folder / f"{name}-{number}.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                number += 1
                continue
            yield f"{name}-{number}"
            return


@contextmanager
def airflow(s: Settings) -> Iterator[Any]:
    """Yield a client of Airflow."""
    from pipeline.adapters.airflow import Airflow

    password = secret(s, "airflow_password")
    if password is None:
        raise Misconfigured("DEPECHE_AIRFLOW_PASSWORD is not set and there are no local services; set it")
    with Airflow(s.airflow_url, s.airflow_user, password) as client:
        yield client


def next_night(s: Settings) -> str | None:
    """Return when Airflow starts the next night; None where it is not known."""
    try:
        with airflow(s) as client:
            found: str | None = client.next_run(NIGHT)
    except (Misconfigured, RetryLater) as error:
        log.info("the next night is not known", reason=str(error))
        return None
    return found


def archived_positions(s: Settings, looking: KafkaBrowser, partitions: Any) -> dict[Partition, int]:
    """Return where each partition's segment chain ends."""
    archive = store(s)
    bounds = {p: found for topic in {q.topic for q in partitions} for p, found in looking.bounds(topic).items()}
    return {p: chain_end(archive, p, *bounds.get(p, (0, None))) for p in partitions}
