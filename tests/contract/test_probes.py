"""What the probes find on real servers, and on a store behind a proxy that drops or changes what it is told."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from pipeline import flow
from pipeline.adapters.kafka import KafkaProbe, create_topics, topic_settings
from pipeline.adapters.memory_probes import MemoryStoreProbe
from pipeline.adapters.memory_store import MemoryStore
from pipeline.adapters.s3_probe import S3Probe
from pipeline.errors import Misconfigured
from pipeline.operate.doctor import Finding
from pipeline.operate.doctor_log import broker_findings, weakest_replication
from pipeline.operate.doctor_store import require_conditional_writes, store_findings
from pipeline.ports import ObjectStore, StoreProbe
from tests.fixtures.servers import ACCESS, SECRET, store_at


@pytest.fixture(params=["memory", "seaweedfs"])
def pair(request: pytest.FixtureRequest) -> tuple[ObjectStore, StoreProbe]:
    if request.param == "memory":
        memory = MemoryStore()
        return memory, MemoryStoreProbe(memory, now=datetime.now(UTC))
    store = store_at(request.getfixturevalue("s3_port"), f"probe-{uuid4().hex[:8]}")
    store.ensure_bucket()
    return store, S3Probe(store)


def test_a_probe_finds_what_conditions_a_store_keeps(pair: tuple[ObjectStore, StoreProbe]) -> None:
    store, probe = pair
    assert probe.put("a", b"first") == "stored"
    found = store.head("a")
    assert found is not None
    assert probe.put("a", b"second", only_if="0" * 32) == "refused"
    assert probe.put("a", b"second", only_if=found[0].etag) == "stored"
    assert store.get("a") == b"second"
    assert probe.put("b", b"x", sha256=hashlib.sha256(b"x").digest()) == "stored"
    assert (probe.put_in_parts("c", b"first"), probe.put_in_parts("c", b"second")) == ("stored", "refused")
    assert store.get("c") == b"first"
    assert abs((probe.now() - datetime.now(UTC)).total_seconds()) < 60
    assert probe.delete("a")
    assert store.head("a") is None


def findings(store: ObjectStore, probe: StoreProbe) -> dict[str, Finding]:
    return {each.subject: each for each in store_findings(store, probe, now=lambda: datetime.now(UTC))}


def test_a_real_store_carries_exactly_once_and_keeps_no_probe(pair: tuple[ObjectStore, StoreProbe]) -> None:
    store, probe = pair
    found = findings(store, probe)
    needed = ("S3 If-None-Match", "S3 read-after-write", "S3 clock", "S3 clean-up")
    assert {found[subject].level for subject in needed} == {"ok"}, found
    assert not list(store.list("doctor/"))
    require_conditional_writes(store)


class _Proxy(ThreadingHTTPServer):
    """In front of a real store: makes of it one that ignores If-None-Match, by removing first what is there.

    To drop the header would not do: requests are signed with it.
    """

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        super().__init__(("127.0.0.1", 0), _Forward)

    def forget(self, path: str) -> None:
        _, bucket, key = urlsplit(path).path.split("/", 2)
        S3Probe(store_at(self.upstream, bucket)).delete(key)


class _Forward(BaseHTTPRequestHandler):
    server: _Proxy
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("If-None-Match"):
            self.server.forget(self.path)
        heads = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
        upstream = HTTPConnection("127.0.0.1", self.server.upstream, timeout=20)
        upstream.request(self.command, self.path, body=body, headers=heads)
        answer = upstream.getresponse()
        said = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection"}:
                self.send_header(name, value)
        if answer.getheader("Content-Length") is None and answer.status != 204:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        upstream.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def careless_port(s3_port: int) -> Iterator[int]:
    proxy = _Proxy(s3_port)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    yield proxy.server_address[1]
    proxy.shutdown()
    proxy.server_close()


def test_a_store_that_overwrites_in_spite_of_if_none_match_is_found_out(careless_port: int) -> None:
    store = store_at(careless_port, f"probe-{uuid4().hex[:8]}")
    store.ensure_bucket()
    found = findings(store, S3Probe(store))
    assert found["S3 If-None-Match"].level == "error"
    assert "took a second write under one name" in found["S3 If-None-Match"].detail
    assert found["S3 If-None-Match, in parts"].level == "warning"
    assert "ignores If-None-Match for uploads in parts" in found["S3 If-None-Match, in parts"].detail
    assert found["S3 read-after-write"].level == "ok"
    with pytest.raises(Misconfigured, match="ignores If-None-Match"):
        require_conditional_writes(store)


@pytest.mark.parametrize(("delivery", "code"), [("exactly_once", 2), ("at_least_once", 0)])
def test_the_archive_starts_on_a_careless_store_only_when_told_to(
    careless_port: int, kafka: str, tmp_path: Path, delivery: str, code: int
) -> None:
    bucket = f"probe-{uuid4().hex[:8]}"
    store_at(careless_port, bucket).ensure_bucket()
    create_topics(kafka, flow.ARCHIVED, compacted=[], partitions=1, replication=1)
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "run", "archive", "--until-caught-up"],
        env=os.environ
        | {
            "DEPECHE_HOME": str(tmp_path),
            "DEPECHE_KAFKA_BOOTSTRAP": kafka,
            "DEPECHE_S3_ENDPOINT": f"http://127.0.0.1:{careless_port}",
            "DEPECHE_S3_BUCKET": bucket,
            "DEPECHE_S3_ACCESS_KEY": ACCESS,
            "DEPECHE_S3_SECRET_KEY": SECRET,
            "DEPECHE_DELIVERY": delivery,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    assert ("set DEPECHE_DELIVERY=at_least_once" in ran.stderr) == (code == 2)


def test_a_real_broker_is_described_and_the_probe_leaves_no_topic(kafka: str) -> None:
    name = f"t-{uuid4().hex[:8]}"
    create_topics(kafka, [name], compacted=[f"{name}.state"], partitions=2, replication=1)
    wanted = {name: topic_settings(compacted=False), f"{name}.state": topic_settings(compacted=True)}
    probe = KafkaProbe(kafka)
    found = {each.subject: each for each in broker_findings(probe, wanted, transaction_timeout_ms=15_000)}
    assert found["Kafka transactions"].level == "ok", found
    assert found["Kafka clock"].level == "ok", found
    for topic in wanted:
        assert found[f"topic {topic}"].level == "warning"
        assert "one replica" in found[f"topic {topic}"].detail
    assert weakest_replication(probe, wanted) == (1, 1)
    assert set(probe.topics([name, "absent"])) == {name}
    swapped = {name: topic_settings(compacted=True)}
    again = {each.subject: each for each in broker_findings(probe, swapped, transaction_timeout_ms=15_000)}
    wrong = again[f"topic {name}"]
    assert (wrong.level, "cleanup.policy is delete, not compact" in wrong.detail) == ("error", True)
