"""The streaming part of the line on real servers: articles a second end to end, and publish-to-object latency.

It starts its own Kafka and S3 on free ports, writes articles into `news.article.fetched`, runs the three
workers as processes, and reads from the manifests when each article was in the store.
"""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
import pyarrow.parquet as pq
from pydantic import SecretStr

from benchmarks.steps import raw_articles
from pipeline import bootstrap, codec, flow, progress
from pipeline.adapters.kafka import KafkaBrowser, KafkaWriter
from pipeline.adapters.local_servers import SeaweedPorts
from pipeline.events import Event
from pipeline.identity import article_id
from pipeline.manifest import manifests
from pipeline.ports import Message
from pipeline.settings import Settings
from tests.fixtures.servers import ACCESS, SECRET, free_base, free_ports, start_kafka, start_seaweedfs, store_at

_ARTICLES = 300
_TRICKLE = 40
_TRICKLE_EVERY_S = 0.25
_STEPS = ("normalise", "enrich", "archive")


class Line(NamedTuple):
    """What was measured in one run. Latency is from the record in the first topic to the manifest that commits
    the article: of articles that come one by one, and of a burst, where most of it is waiting for a turn."""

    articles: int
    seconds: float
    p50: float
    p95: float
    burst_p50: float
    burst_p95: float
    resident_mb: dict[str, float]


@contextlib.contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator[int]:
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def measure() -> Line:
    """Run the line once over 300 articles."""
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as scratch:
        port, controller = free_ports(2)
        base = free_base(20)
        ports = SeaweedPorts(base + 19, base)
        kafka = stack.enter_context(_ended(start_kafka(Path(scratch), port, controller)))
        stack.enter_context(_ended(start_seaweedfs(Path(scratch) / "s3", ports)))
        settings = Settings(
            home=Path(scratch),
            kafka_bootstrap=f"127.0.0.1:{port}",
            s3_endpoint=f"http://127.0.0.1:{ports.s3}",
            s3_access_key=SecretStr(ACCESS),
            s3_secret_key=SecretStr(SECRET),
        )
        bootstrap.prepare(settings)
        environment = os.environ | {
            "DEPECHE_HOME": scratch,
            "DEPECHE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "DEPECHE_S3_ENDPOINT": settings.s3_endpoint,
            "DEPECHE_S3_ACCESS_KEY": ACCESS,
            "DEPECHE_S3_SECRET_KEY": SECRET,
            "DEPECHE_SEGMENT_SECONDS": "1",
        }
        pids = {"kafka": kafka}
        for step in _STEPS:
            log = (Path(scratch) / f"{step}.log").open("wb")
            worker = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", "run", step],
                env=environment,
                stderr=log,
                start_new_session=True,
            )
            pids[step] = stack.enter_context(_ended(worker))
        return _run(settings, ports.s3, pids)


def _run(settings: Settings, s3_port: int, pids: dict[str, int]) -> Line:
    browser = KafkaBrowser(settings.kafka_bootstrap)
    # The first article finds the workers still loading their model; it is not measured.
    _publish(settings, 0, 1)
    _wait(browser, s3_port, 1)
    began = time.perf_counter()
    _publish(settings, 1, _ARTICLES)
    _wait(browser, s3_port, 1 + _ARTICLES)
    seconds = time.perf_counter() - began
    for n in range(_TRICKLE):
        _publish(settings, 1 + _ARTICLES + n, 1)
        time.sleep(_TRICKLE_EVERY_S)
    _wait(browser, s3_port, 1 + _ARTICLES + _TRICKLE)
    latencies = _latencies(browser, s3_port)
    burst = [latencies[_key(n)] for n in range(1, 1 + _ARTICLES)]
    trickle = [latencies[_key(n)] for n in range(1 + _ARTICLES, 1 + _ARTICLES + _TRICKLE)]
    resident = {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in pids.items()}
    browser.close()
    return Line(_ARTICLES, seconds, *_quantiles(trickle), *_quantiles(burst), resident)


def _quantiles(latencies: list[float]) -> tuple[float, float]:
    ordered = sorted(latencies)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]


def _key(n: int) -> bytes:
    return article_id(source="bench", own_id=str(n)).encode()


def _publish(settings: Settings, first: int, count: int) -> None:
    sample = raw_articles(1)
    writer = KafkaWriter(settings.kafka_bootstrap, "bench")
    messages = []
    for n in range(first, first + count):
        own = _key(n).decode()
        raw = msgspec.structs.replace(
            sample[n % len(sample)], article_id=own, position=f"bench:{n}", fetched_at=datetime.now(UTC)
        )
        wire = codec.encode(Event(codec.envelope(raw, time=datetime.now(UTC), cause=None), raw))
        messages.append(Message(flow.FETCHED, wire.key, wire.headers, wire.value))
    writer.write(messages)
    writer.close()


def _archived(s3_port: int) -> int:
    return sum(m.records for _, m in manifests(store_at(s3_port, "depeche"), flow.ENRICHED))


def _wait(browser: KafkaBrowser, s3_port: int, count: int) -> None:
    deadline = time.monotonic() + 300
    while _archived(s3_port) < count:
        if time.monotonic() > deadline:
            done = sum(progress.ends(browser, flow.ENRICHED).values())
            raise RuntimeError(f"after 300 s only {_archived(s3_port)} of {count} are archived ({done} enriched)")
        time.sleep(0.2)


def _latencies(browser: KafkaBrowser, s3_port: int) -> dict[bytes, float]:
    """Return, by key, seconds from an article's record in the first topic to the manifest that commits it."""
    out = {}
    written = {
        record.key: record.timestamp
        for p, (start, end) in browser.bounds(flow.FETCHED).items()
        for record in browser.read(p, start, end)
    }
    store = store_at(s3_port, "depeche")
    for _, manifest in manifests(store, flow.ENRICHED):
        table = pq.read_table(io.BytesIO(store.get(manifest.tables["articles"].key)), columns=["article_id"])
        for name in table["article_id"].to_pylist():
            out[str(name).encode()] = (manifest.created_at - written[str(name).encode()]).total_seconds()
    return out
