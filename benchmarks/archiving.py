"""The archive as a process of its own, real Kafka to real S3: CPU and memory, beside a bare copy loop.

CPU is that of the whole process, both user and system, less that of the same process with nothing to do: what is
left is reading from Kafka, decoding, building Parquet, hashing, and sending it to S3.
"""

import os
import pstats
import time
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from benchmarks import inputs
from benchmarks.stage import Stage, Usage
from pipeline import flow
from pipeline.manifest import manifests
from tests.fixtures.servers import store_at

_ARTICLES = 20_000
_RUN = ("-m", "pipeline.cli", "run", "archive", "--until-caught-up")
_COPY = ("-m", "benchmarks.copying")
_TOP = 10
_SECONDS = "5"
"""A segment closes by the clock soon after the log is quiet; most close by size."""


class Archiving(NamedTuple):
    """MB are 10⁶ bytes of enriched JSON."""

    records: int
    mb: float
    archive: Usage
    copy: Usage
    profile: str


def measure(stage: Stage, records: int = _ARTICLES) -> Archiving:
    """Let the archive and the copy loop each drain the same enriched articles, and profile a third run."""
    idle = stage.with_bucket("idle")
    nothing_archived, nothing_copied = stage.cost(idle, _RUN, SEGMENT_SECONDS=_SECONDS), stage.cost(idle, _COPY)
    count, size = inputs.publish(idle.kafka_bootstrap, inputs.enriched(records))
    copied = stage.cost(stage.with_bucket("copied"), _COPY)
    settings = stage.with_bucket("archived")
    archived = stage.cost(settings, _RUN, SEGMENT_SECONDS=_SECONDS)
    assert settings.s3_endpoint.startswith("http://127.0.0.1:")
    port = int(settings.s3_endpoint.rpartition(":")[2])
    stored = sum(m.records for _, m in manifests(store_at(port, "archived"), flow.ENRICHED))
    if stored != count:
        raise RuntimeError(f"{stored} of {count} articles are in the archive")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "profile"
        profiled = ("-m", "cProfile", "-o", str(file), *_RUN)
        stage.cost(stage.with_bucket("profiled"), profiled, SEGMENT_SECONDS=_SECONDS)
        profile = _top(file)
    return Archiving(
        count,
        size / 1e6,
        archived._replace(cpu_s=archived.cpu_s - nothing_archived.cpu_s),
        copied._replace(cpu_s=copied.cpu_s - nothing_copied.cpu_s),
        profile,
    )


def _top(file: Path) -> str:
    """Return the functions that took most of the main thread's time, waiting left out."""
    out = StringIO()
    pstats.Stats(str(file), stream=out).strip_dirs().sort_stats("tottime").print_stats(_TOP + 5)
    lines = out.getvalue().splitlines()
    table = next(n for n, line in enumerate(lines) if line.lstrip().startswith("ncalls"))
    working = [line for line in lines[table:] if line.strip() and "acquire" not in line and "time.sleep" not in line]
    return "\n".join(working[: _TOP + 1])


class Flatness(NamedTuple):
    """Peaks of resident memory in the four quarters of one run."""

    records: int
    seconds: float
    quarters_mb: tuple[float, ...]


def flatness(stage: Stage) -> Flatness:
    """Sample the memory of one archive process over two million small records (`DEPECHE_BENCH_RECORDS`)."""
    records = int(os.environ.get("DEPECHE_BENCH_RECORDS", "2000000"))
    settings = stage.with_bucket("flat")
    port = int(settings.s3_endpoint.rpartition(":")[2])
    source = stage.start(settings, "-m", "benchmarks.inputs", "small", settings.kafka_bootstrap, str(records))
    worker = stage.worker(settings, "archive", SEGMENT_SECONDS="10")
    watched = psutil.Process(worker.pid)
    began, samples = time.monotonic(), []
    done = looked = 0
    while done < records:
        samples.append((done, watched.memory_info().rss / 2**20))
        time.sleep(0.2)
        if source.poll() or worker.poll() is not None:
            raise RuntimeError(stage.log())
        looked += 1
        if looked % 10 == 0:
            done = sum(m.records for _, m in manifests(store_at(port, "flat"), flow.FETCHED))
    seconds = time.monotonic() - began
    worker.terminate()
    worker.wait()
    quarter = len(samples) / 4
    peaks = (max(mb for _, mb in samples[round(q * quarter) : round((q + 1) * quarter)]) for q in range(4))
    return Flatness(records, seconds, tuple(peaks))
