"""Settings → the wired line. The only file that knows the real classes; cli, DAGs and tests call it.

Everything given to and returned by the functions for Airflow is JSON.
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog

from pipeline import flow, progress
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.http import HttpFetcher
from pipeline.adapters.kafka import KafkaBrowser, KafkaLog, KafkaWriter, create_topics
from pipeline.adapters.s3 import S3Store
from pipeline.adapters.supervisor import local_secrets
from pipeline.archive import Archive, chain_end
from pipeline.errors import Misconfigured, RetryLater
from pipeline.fetch import KINDS, Source, SourceReport, Spoiled, pull, read_catalogue
from pipeline.load import load
from pipeline.operate import catching_up, nightly
from pipeline.ports import Clock, Model, Partition
from pipeline.pull import pull_source, remembered
from pipeline.settings import Settings
from pipeline.store import segment
from pipeline.transform import Transform
from pipeline.worker import Job, run

log = structlog.get_logger(__name__)

_ENRICH_BATCH = 20
"""Articles of one transaction: reading one takes some tenths of a second, and latency is a promise too."""

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
    given = getattr(s, name)
    if given is not None:
        return str(given.get_secret_value())
    return local_secrets(s.home).get(name) if (s.home / "secrets.json").exists() else None


def store(s: Settings) -> S3Store:
    """Return the archive's bucket."""
    return S3Store(
        s.s3_bucket,
        endpoint=None if s.s3_endpoint == "aws" else s.s3_endpoint,
        region=s.s3_region,
        access_key=secret(s, "s3_access_key"),
        secret_key=secret(s, "s3_secret_key"),
    )


def model(s: Settings) -> Model:
    """Return the model that reads sentences. Raises `Misconfigured` when its folder is none."""
    from pipeline.adapters.onnx import OnnxModel

    installed = Path(__file__).parent / "_models" / s.model.name
    return OnnxModel(s.model if s.model.is_dir() or not installed.is_dir() else installed, threads=s.model_threads)


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
        s.kafka_bootstrap,
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
    with closing(KafkaBrowser(s.kafka_bootstrap)) as opened:
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


# Workers


def run_step(name: str, *, until_caught_up: bool, stop: Callable[[], bool]) -> Mapping[str, int]:
    """Run one streaming worker and return its counts. Raises `Misconfigured` for a step that does not stream."""
    s = settings()
    with browser(s) as looking, instance(s, name) as own:
        job, topics = _job(s, name, looking, own)
        done: Callable[[], bool] = lambda: False  # noqa: E731
        if until_caught_up:
            until = {p: end for topic in topics for p, end in progress.ends(looking, topic).items()}
            done = lambda: _caught_up(job, looking, name, until)  # noqa: E731
        limit = _ENRICH_BATCH if name == "enrich" else s.batch_records
        run(job.log, job, clock=SystemClock(), limit=limit, stop=stop, caught_up=done)
    return dict(job.counts)


def _caught_up(job: Any, looking: KafkaBrowser, name: str, until: Mapping[Partition, int]) -> bool:
    if isinstance(job, Archive):
        return job.buffered == 0 and progress.remaining(looking, job.positions, until, most=1) == 0
    return progress.has_passed(looking, flow.group(name), until)


def _job(s: Settings, name: str, looking: KafkaBrowser, own: str) -> tuple[Any, Sequence[str]]:
    def open_log(topics: Sequence[str], transactional: bool) -> Callable[[Job], KafkaLog]:
        return lambda job: KafkaLog(
            s.kafka_bootstrap,
            group=flow.group(name),
            topics=topics,
            instance=own,
            rebalance=job,
            transactional=transactional,
        )

    if name == "archive":
        archive = Archive(
            segment,
            open_log=open_log(flow.ARCHIVED, False),
            browser=looking,
            store=store(s),
            clock=SystemClock(),
            segment_bytes=s.segment_bytes,
            segment_seconds=s.segment_seconds,
        )
        return archive, flow.ARCHIVED
    handle = _handler(s, name)
    step = flow.step(name)
    opened = open_log([step.reads], True)
    return Transform(step, handle, open_log=opened, browser=looking, clock=SystemClock()), [step.reads]


def _handler(s: Settings, name: str) -> Any:
    if name == "normalise":
        from pipeline.normalise import normalise

        return lambda batch, states: normalise(batch, states=states, now=SystemClock().now())
    if name == "enrich":
        from pipeline.enrich import enrich

        reader = model(s)
        return lambda batch, states: enrich(batch, model=reader, now=SystemClock().now())  # noqa: ARG005 - it remembers nothing
    raise Misconfigured(f"no step is called {name!r} that runs as a worker; there are normalise, enrich and archive")


# Fetching


def fetch_sources(names: Sequence[str], window: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Pull these sources, one after the other, and return a report of each; a dead one fails alone."""
    s = settings()
    declared = {source.name: source for source in catalogue(s)}
    if unknown := [name for name in names if name not in declared]:
        raise Misconfigured(f"no source is called {', '.join(unknown)}; declared are {', '.join(declared)}")
    span = None if window is None else (datetime.fromisoformat(window[0]), datetime.fromisoformat(window[1]))
    with ExitStack() as stack:
        looking = stack.enter_context(browser(s))
        states = remembered(looking)
        fetcher = stack.enter_context(closing(_fetcher(s)))
        files = DirectoryStore(s.sources.parent)
        return [msgspec.to_builtins(_pull(s, declared[name], states.get(name), fetcher, files, span)) for name in names]


def _pull(s: Settings, source: Source, state: Any, fetcher: Any, files: Any, span: Any) -> SourceReport:
    polite = fetcher.behaving(delay=source.delay_seconds, allow_private=source.allow_private)
    reading = partial(pull, fetcher=polite, files=files, now=SystemClock().now(), window=span)
    with closing(KafkaWriter(s.kafka_bootstrap, f"{flow.group('fetch')}.{source.name}")) as writer:
        return pull_source(source, state, pull=reading, writer=writer, clock=SystemClock())


def _fetcher(s: Settings) -> HttpFetcher:
    return HttpFetcher(
        SystemClock(),
        user_agent=s.user_agent,
        timeout=s.fetch_timeout,
        max_bytes=s.max_body_bytes,
        delay=s.fetch_delay,
        allow_private=s.allow_private,
        trusted=frozenset({urlsplit(s.feed_url).netloc}),
    )


def source_table() -> list[dict[str, Any]]:
    """Return the declared sources with what is remembered of each."""
    s = settings()
    declared = catalogue(s)
    with browser(s) as looking:
        states = remembered(looking)
    out = []
    for source in declared:
        state = states.get(source.name)
        out.append(
            {
                "name": source.name,
                "kind": source.kind,
                "location": source.url or source.path,
                "last_success": state.succeeded_at.isoformat() if state and state.succeeded_at else None,
                "last_try": state.fetched_at.isoformat() if state else None,
                "error": state.error if state else None,
            }
        )
    return out


# The night, as Airflow's tasks call it


def plan_night(day: str | None, run_type: str, at: datetime) -> list[nightly.Group]:
    """Return the groups of sources, one per host, and the window of the run."""
    pairs = [(source.name, source.url) for source in catalogue(settings())]
    return nightly.planned(nightly.grouped_by_host(pairs), day=day, run_type=run_type, at=at)


def fetch_group(group: nightly.Group, earlier: Sequence[nightly.Report]) -> list[dict[str, Any]]:
    """Pull the sources of one host that no earlier try finished, and return a report of each source."""
    fresh = fetch_sources(nightly.unfinished(group, earlier), group["window"])
    return nightly.completed(earlier, fresh)


def require_success(reports: Sequence[nightly.Report]) -> None:
    """Raise `RetryLater` when a source failed."""
    nightly.require_success(reports)


def fetched_ends() -> dict[str, int]:
    """Return where the fetched articles end now."""
    with browser(settings()) as looking:
        return catching_up.fetched_ends(looking)


def wait_until_archived(ends: Mapping[str, int], timeout_seconds: float) -> dict[str, Any]:
    """Return when all that was fetched before `ends` is in segments. Raises `RetryLater` after the time."""
    s = settings()
    archive = store(s)
    with browser(s) as looking:
        firsts = {p: first for topic in flow.ARCHIVED for p, (first, _) in looking.bounds(topic).items()}
        return catching_up.wait_until_archived(
            ends,
            browser=looking,
            archived=lambda p: chain_end(archive, p, firsts.get(p, 0)),
            clock=SystemClock(),
            timeout=timeout_seconds,
        )


def load_warehouse() -> dict[str, Any]:
    """Load every closed segment that is not in the warehouse yet, and return what was added."""
    s = settings()
    with warehouse(s) as tables:
        report = load(store(s), tables, topic=flow.ENRICHED, progress=lambda key: log.info("loaded", segment=key))
    return dict(msgspec.to_builtins(report))


def finish_night(
    groups: Sequence[nightly.Group],
    pulled: Sequence[Sequence[nightly.Report] | None],
    waited: Mapping[str, Any],
    loaded: Mapping[str, Any],
    task: Sequence[str],
) -> str:
    """Write the report of the night and leave it as a note on the task; return its name in the bucket."""
    s = settings()
    night = nightly.summary(groups[0]["date"], nightly.all_reports(groups, pulled), waited, loaded)
    where = nightly.keep(night, store=store(s), folder=s.home / "reports" / "nightly")
    if secret(s, "airflow_password") is None:
        log.warning("no note is left on the task: DEPECHE_AIRFLOW_PASSWORD is not set", report=where)
        return where
    with airflow(s) as client:
        client.annotate(*task, nightly.note(night, where))
    return where


@contextmanager
def airflow(s: Settings) -> Iterator[Any]:
    """Yield a client of Airflow."""
    from pipeline.adapters.airflow import Airflow

    password = secret(s, "airflow_password")
    if password is None:
        raise Misconfigured("DEPECHE_AIRFLOW_PASSWORD is not set and there are no local services; set it")
    with Airflow(s.airflow_url, s.airflow_user, password) as client:
        yield client


def last_night(s: Settings) -> dict[str, Any] | None:
    """Return the newest nightly report kept here."""
    reports = sorted((s.home / "reports" / "nightly").glob("*.json"), key=lambda p: p.stat().st_mtime)
    return dict(json.loads(reports[-1].read_text(encoding="utf-8"))) if reports else None


def day_window(day: date) -> tuple[str, str]:
    """Return [00:00, 24:00) UTC of a day, as two instants in ISO 8601."""
    planned = nightly.planned(
        [{"host": "-", "sources": []}], day=day.isoformat(), run_type="manual", at=SystemClock().now()
    )
    window = planned[0]["window"] or ["", ""]
    return window[0], window[1]


# What people ask


def archived_positions(s: Settings, looking: KafkaBrowser, partitions: Any) -> dict[Partition, int]:
    """Return where each partition's segment chain ends."""
    archive = store(s)
    firsts = {p: first for topic in {q.topic for q in partitions} for p, (first, _) in looking.bounds(topic).items()}
    return {p: chain_end(archive, p, firsts.get(p, 0)) for p in partitions}


def line_status() -> dict[str, Any]:
    """Return lag, rates, rejections and the last night."""
    from pipeline.adapters.supervisor import LocalServices
    from pipeline.operate.status import status

    s = settings()
    with browser(s) as looking:
        found = status(looking, archived=lambda ps: archived_positions(s, looking, list(ps)), now=SystemClock().now())
    return found | {"last_night": last_night(s), "services": LocalServices(s, SystemClock()).states()}


def verdict(say: Callable[[str], None]) -> Any:
    """Check every invariant over store, log and tables."""
    from pipeline.operate.verify import verify

    s = settings()
    with ExitStack() as stack:
        looking = stack.enter_context(browser(s))
        tables = None
        if s.warehouse_path.exists():
            tables = stack.enter_context(warehouse(s, read_only=True))
        return verify(store(s), looking, tables, progress=say)


def retry_rejected(event_id: str) -> str:
    """Write a rejected input to its topic again; return what was done. Never does it twice."""
    from pipeline.errors import DepecheError
    from pipeline.operate import rejected

    s = settings()
    with browser(s) as looking:
        entry = rejected.find(looking, event_id)
        message = rejected.again(entry)
        if entry.envelope.id in rejected.retried(looking, message.topic):
            raise DepecheError(f"{entry.envelope.id} was tried again already")
        with closing(KafkaWriter(s.kafka_bootstrap, f"{flow.group('retry')}.{entry.envelope.id}")) as writer:
            writer.write([message])
    return f"{entry.envelope.id} was written to {message.topic} again"


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
    out = doctor.settings_found({name: getattr(s, name) for name in type(s).model_fields}, given)
    out.append(doctor.examine("sources", lambda: f"{len(catalogue(s))} sources are declared"))
    out.append(doctor.examine("model", lambda: "{0.name} {0.version}, SHA-256 {0.sha256}".format(model(s).info)))
    with browser(s) as looking:
        out.append(doctor.examine("Kafka", lambda: doctor.topics(looking)))
    out.append(doctor.examine("S3", lambda: doctor.conditional_writes(store(s))))
    out.append(doctor.examine("Airflow", lambda: _airflow_health(s)))
    free = shutil.disk_usage(s.home if s.home.exists() else Path()).free // 2**20
    level: doctor.Level = "ok" if free > 2_000 else "warning"
    out.append(doctor.Finding("disk", level, f"{free} MiB are free under DEPECHE_HOME"))
    return out


def _airflow_health(s: Settings) -> str:
    with airflow(s) as client:
        return str(client.health())


def extracted(inputs: Iterator[tuple[str, bytes]]) -> Iterator[Any]:
    """Yield an enriched article, or why there is none, for each article of the inputs; needs no service."""
    from pipeline.adapters.memory_store import MemoryStore
    from pipeline.extract import Turned, extract

    now = SystemClock().now()

    def lines(name: str, body: bytes) -> Iterator[Any]:
        files = MemoryStore()
        files.create("input.jsonl", body)
        source = Source(name="extract", kind="jsonl", path="input.jsonl")
        for haul in pull(source, None, fetcher=_fetcher(settings()), files=files, now=now):
            for item in haul.items:
                yield (
                    Turned(name + item.position[len("input.jsonl") :], item.flaw) if isinstance(item, Spoiled) else item
                )

    yield from extract(inputs, lines=lines, model=model(settings()), now=now)


# Local services


def services_up(say: Callable[[str], None]) -> None:
    """Start what is not running yet: servers, topics and bucket, workers, Airflow. Raises `Misconfigured`."""
    import shutil

    import psutil

    from pipeline.adapters.supervisor import AIRFLOW, WORKERS, LocalServices, taken_ports
    from pipeline.errors import RetryLater
    from pipeline.operate.preflight import obstacles

    s = settings()
    local = LocalServices(s, SystemClock())
    local_secrets(s.home)
    if not local.running:
        in_the_way = obstacles(
            taken_ports=taken_ports(s),
            memory_free=psutil.virtual_memory().available,
            disk_free=shutil.disk_usage(s.home).free,
            folder=str(s.home.absolute()),
        )
        if in_the_way:
            raise Misconfigured(" ".join(in_the_way))
        local.launch(say)
    migration = None if "RUNNING" in {local.states().get(name) for name in AIRFLOW} else local.migrate_airflow()
    local.wait_for("Kafka and S3", lambda: _answers(lambda: prepare(s)), 60)
    say("Kafka and S3 are up; starting the workers")
    local.start(WORKERS)
    if migration is not None:
        say("preparing Airflow's database")
        if migration.wait() != 0:
            raise RetryLater(f"`airflow db migrate` failed; its log is in {local.home / 'logs'}")
    say("starting Airflow")
    local.start(AIRFLOW)
    local.wait_for("Airflow", lambda: _answers(lambda: _airflow_health(s)), 120)
    say(f"Airflow is up at {s.airflow_url}")


def _answers(ask: Callable[[], object]) -> bool:
    from pipeline.errors import RetryLater

    try:
        ask()
    except RetryLater:
        return False
    return True


def services_down(say: Callable[[str], None]) -> bool:
    """Stop everything that `services_up` started; tell whether there was anything."""
    from pipeline.adapters.supervisor import LocalServices

    return LocalServices(settings(), SystemClock()).shut_down(say)
