"""The streaming line on a real Kafka and a real S3 server, its workers real processes that are killed at work."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipeline import bootstrap, flow, progress
from pipeline.adapters.kafka import KafkaBrowser
from pipeline.errors import Fenced
from pipeline.manifest import manifests
from tests.fixtures.seeds import SEEDS
from tests.fixtures.servers import ACCESS, SECRET, free_ports, start_kafka, store_at

ARTICLES = 33
WORKERS = ("normalise", "enrich", "archive")


class Line:
    """A broker of its own, a bucket of its own, and workers that can be killed."""

    def __init__(self, kafka: str, s3_port: int, home: Path) -> None:
        self.home = home
        self.bucket = f"line-{uuid4().hex[:8]}"
        self.s3_port = s3_port
        self.environment = {
            "DEPECHE_HOME": str(home),
            "DEPECHE_KAFKA_BOOTSTRAP": kafka,
            "DEPECHE_S3_ENDPOINT": f"http://127.0.0.1:{s3_port}",
            "DEPECHE_S3_BUCKET": self.bucket,
            "DEPECHE_S3_ACCESS_KEY": ACCESS,
            "DEPECHE_S3_SECRET_KEY": SECRET,
            "DEPECHE_SEGMENT_SECONDS": "1",
            "DEPECHE_BATCH_RECORDS": "5",
            "DEPECHE_SOURCES": str(SEEDS / "sources.yaml"),
        }
        self.browser = KafkaBrowser(kafka)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, step: str) -> None:
        log = (self.home / f"{step}.log").open("ab")
        self.running[step] = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "run", step],
            env=os.environ | self.environment | {"DEPECHE_INSTANCE": f"{step}-0"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def kill(self, step: str) -> None:
        worker = self.running.pop(step)
        assert worker.poll() is None, (self.home / f"{step}.log").read_text()
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def terminate(self, step: str) -> int:
        worker = self.running.pop(step)
        worker.terminate()
        return worker.wait(timeout=15)

    def count(self, topic: str) -> int:
        until = progress.ends(self.browser, topic)
        return progress.remaining(self.browser, {}, until)

    def archived(self) -> int:
        return sum(m.records for _, m in manifests(store_at(self.s3_port, self.bucket), flow.ENRICHED))

    def until(self, what: Callable[[], bool], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            logs = "\n".join(f"{p.name}: {p.read_text()[-800:]}" for p in self.home.glob("*.log"))
            assert time.monotonic() < deadline, logs
            time.sleep(0.2)


@pytest.fixture(scope="module")
def line(s3_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    home = tmp_path_factory.mktemp("line")
    port, controller = free_ports(2)
    broker = start_kafka(home / "kafka", port, controller)
    made = Line(f"127.0.0.1:{port}", s3_port, home)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        bootstrap.prepare(bootstrap.settings())
        yield made
    made.browser.close()
    for process in [*made.running.values(), broker]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def sources(reports: list[dict[str, Any]]) -> int:
    assert all(report["ok"] for report in reports), reports
    return sum(report["items"] for report in reports)


def test_killed_workers_lose_and_double_nothing(line: Line) -> None:
    for step in WORKERS:
        line.start(step)
    assert sources(bootstrap.fetch_sources(["agence-textes", "archives-jsonl"])) == ARTICLES
    line.until(lambda: line.count(flow.NORMALISED) > 0)
    line.kill("normalise")
    line.start("normalise")
    line.until(lambda: line.count(flow.ENRICHED) > 0)
    line.kill("enrich")
    line.kill("archive")
    line.start("archive")
    line.start("enrich")
    line.until(lambda: line.archived() >= ARTICLES)
    assert bootstrap.load_warehouse()["articles"] == ARTICLES
    verdict = bootstrap.verdict(lambda _: None)
    assert verdict.sound, verdict.faults
    assert verdict.counts["enrich: emitted"] == verdict.counts["tables: articles"] == ARTICLES


def test_a_second_pull_and_a_second_load_find_nothing_new(line: Line) -> None:
    assert sources(bootstrap.fetch_sources(["agence-textes", "archives-jsonl"])) == 0
    assert bootstrap.load_warehouse()["segments"] == 0


def test_a_day_that_is_pulled_again_is_recognised_as_unchanged(line: Line) -> None:
    before = line.count(flow.NORMALISED)
    again = sources(
        bootstrap.fetch_sources(["archives-jsonl"], ("2017-01-01T00:00:00+00:00", "2018-01-01T00:00:00+00:00"))
    )
    assert 0 < again < 20
    line.until(
        lambda: progress.has_passed(line.browser, flow.group("normalise"), progress.ends(line.browser, flow.FETCHED))
    )
    assert line.count(flow.NORMALISED) == before
    line.until(lambda: bootstrap.verdict(lambda _: None).counts["normalise: unchanged"] == again)
    verdict = bootstrap.verdict(lambda _: None)
    assert verdict.sound, verdict.faults


def test_the_status_of_the_line_says_that_nothing_waits(line: Line) -> None:
    line.until(lambda: all(step["lag"] == 0 for step in bootstrap.line_status()["steps"]))
    found = bootstrap.line_status()
    assert found["topics"][flow.ENRICHED] == ARTICLES
    assert found["rejected"] == {}


@pytest.mark.parametrize("step", WORKERS)
def test_a_worker_that_is_asked_to_stop_ends_well_and_soon(line: Line, step: str) -> None:
    began = time.monotonic()
    assert line.terminate(step) == 0
    assert time.monotonic() - began < 10


def test_a_worker_that_catches_up_ends_by_itself(line: Line) -> None:
    counts = bootstrap.run_step("normalise", until_caught_up=True, stop=lambda: False)
    assert counts == {"emitted": 0, "unchanged": 0, "rejected": 0}


def test_of_two_pulls_of_one_source_at_once_only_what_is_reported_is_in_the_log(line: Line) -> None:
    before = line.count(flow.FETCHED)
    window = ("2017-01-01T00:00:00+00:00", "2018-01-01T00:00:00+00:00")
    with ThreadPoolExecutor(2) as both:
        pulls = [both.submit(bootstrap.fetch_sources, ["archives-jsonl"], window) for _ in range(2)]
    told = [pull.result() for pull in pulls if pull.exception() is None]
    assert all(isinstance(pull.exception(), Fenced | None) for pull in pulls)
    assert told
    assert line.count(flow.FETCHED) - before == sum(sources(reports) for reports in told)
