"""SIGTERM ends a worker within ten seconds whatever is down, with a truthful exit code, and nothing is lost by it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline import flow, progress
from pipeline.adapters.kafka import KafkaBrowser, KafkaWriter, create_topics
from pipeline.adapters.s3 import S3Store
from pipeline.manifest import manifests
from pipeline.ports import Message
from tests.fixtures.servers import ACCESS, SECRET, free_ports, start_kafka, store_at


class Gate:
    """A TCP relay in front of a server, which can be shut (refuses) or stopped (takes connections, says nothing)."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.silent = False
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                if self.silent:
                    continue
                far = socket.create_connection(("127.0.0.1", self.upstream))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(65536)) or not data:
                if self.silent:
                    continue
                if not data:
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def shut(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Worker:
    """One real worker process, with its log."""

    def __init__(self, step: str, home: Path, **settings: str) -> None:
        self.log = home / f"{step}-{uuid4().hex[:4]}.log"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "run", step],
            env=os.environ | {"DEPECHE_HOME": str(home), "DEPECHE_INSTANCE": f"{step}-0"} | settings,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def said(self, words: str) -> bool:
        return words in self.log.read_text(errors="replace")

    def stop(self) -> tuple[int, float]:
        started = time.monotonic()
        self.process.terminate()
        code = self.process.wait(timeout=30)
        return code, time.monotonic() - started


def until(what: Callable[[], bool], why: Callable[[], str] = lambda: "", seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


@contextmanager
def running(worker: Worker) -> Iterator[Worker]:
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            os.killpg(worker.process.pid, signal.SIGKILL)
            worker.process.wait()


def status(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_a_worker_is_ready_while_its_broker_is_there_and_ends_in_time_when_it_is_not(tmp_path: Path) -> None:
    port, controller, health = free_ports(3)
    (tmp_path / "kafka").mkdir()
    broker = start_kafka(tmp_path / "kafka", port, controller)
    try:
        bootstrap = f"127.0.0.1:{port}"
        create_topics(bootstrap, flow.FACTS + flow.REJECTED, compacted=flow.STATES, partitions=1, replication=1)
        worker = Worker("normalise", tmp_path, DEPECHE_KAFKA_BOOTSTRAP=bootstrap, DEPECHE_HEALTH_PORT=str(health))
        with running(worker):
            until(lambda: status(health, "/readyz") == 200, worker.log.read_text)
            os.killpg(broker.pid, signal.SIGKILL)
            broker.wait()
            assert status(health, "/healthz") == 200
            _, seconds = worker.stop()
        assert seconds < 10, worker.log.read_text()
    finally:
        if broker.poll() is None:
            os.killpg(broker.pid, signal.SIGKILL)
            broker.wait()


def test_a_worker_whose_broker_never_was_there_ends_in_time_and_says_so(tmp_path: Path) -> None:
    worker = Worker("normalise", tmp_path, DEPECHE_KAFKA_BOOTSTRAP="127.0.0.1:9")
    with running(worker):
        until(lambda: worker.said("kafka") or worker.process.poll() is not None)
        code, seconds = worker.stop()
    assert (code != 0, seconds < 10) == (True, True), worker.log.read_text()


@pytest.mark.parametrize("way", ["refuses", "says nothing"])
def test_an_archive_whose_store_goes_away_with_a_full_buffer_ends_in_time_and_loses_nothing(
    kafka: str, s3_port: int, tmp_path: Path, way: str
) -> None:
    gate, bucket = Gate(s3_port), f"stop-{uuid4().hex[:8]}"
    store = store_at(s3_port, bucket)
    store.ensure_bucket()
    create_topics(kafka, flow.FACTS + flow.REJECTED, compacted=flow.STATES, partitions=1, replication=1)
    settings = {
        "DEPECHE_KAFKA_BOOTSTRAP": kafka,
        "DEPECHE_S3_BUCKET": bucket,
        "DEPECHE_S3_ACCESS_KEY": ACCESS,
        "DEPECHE_S3_SECRET_KEY": SECRET,
    }
    (health,) = free_ports(1)
    through = {"DEPECHE_S3_ENDPOINT": f"http://127.0.0.1:{gate.port}", "DEPECHE_HEALTH_PORT": str(health)}
    worker = Worker(
        "archive", tmp_path, **settings | through, DEPECHE_SEGMENT_SECONDS="5" if way == "refuses" else "60"
    )
    with running(worker):
        until(lambda: status(health, "/readyz") == 200, worker.log.read_text)
        gate.silent = way == "says nothing"
        if way == "refuses":
            gate.shut()
        before = turns(health)
        write(kafka, 7)
        if way == "refuses":
            until(lambda: worker.said("retrying"), worker.log.read_text)
        else:
            until(lambda: turns(health) > before + 3, worker.log.read_text)
        code, seconds = worker.stop()
        assert code == 1, worker.log.read_text()
        assert seconds < 10, worker.log.read_text()
    direct = {"DEPECHE_S3_ENDPOINT": f"http://127.0.0.1:{s3_port}", "DEPECHE_SEGMENT_SECONDS": "1"}
    with running(Worker("archive", tmp_path, **settings | direct)) as again:
        browser = KafkaBrowser(kafka)
        wanted = progress.remaining(browser, {}, progress.ends(browser, flow.ENRICHED))
        browser.close()
        until(lambda: archived(store) == wanted, again.log.read_text)
        assert again.stop()[0] == 0


def turns(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/healthz")
    return int(json.loads(connection.getresponse().read())["turns"])


def write(kafka: str, count: int) -> None:
    writer = KafkaWriter(kafka, f"seed-{uuid4().hex}")
    writer.write([Message(flow.ENRICHED, b"k%d" % n, (), b"v%d" % n) for n in range(count)])
    writer.close()


def archived(store: S3Store) -> int:
    return sum(m.records for _, m in manifests(store, flow.ENRICHED))
