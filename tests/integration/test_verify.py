"""`depeche verify` on a real Kafka and S3 server: exit code 0 for a sound line, 1 and the place for a broken one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import bootstrap, flow
from pipeline.manifest import Manifest, manifest_key, manifests
from tests.fixtures.servers import store_at
from tests.integration.test_line import Line, line

__all__ = ["line"]
STEPS = ("normalise", "enrich", "archive")


@pytest.fixture(scope="module")
def loaded(line: Line) -> Line:
    """Some articles, all the way to the tables."""
    assert all(report["ok"] for report in bootstrap.fetch_sources(["agence-textes"]))
    for step in STEPS:
        bootstrap.run_step(step, until_caught_up=True, stop=lambda: False)
    assert bootstrap.load_warehouse()["articles"] > 0
    return line


def depeche_verify(line: Line, *words: str) -> tuple[int, dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "verify", "--json", *words],
        cwd=Path(__file__).parent.parent.parent,
        env=os.environ | line.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stderr
    return ran.returncode, json.loads(ran.stdout)


class Bucket:
    """Objects that can be changed, as the port does not allow."""

    def __init__(self, line: Line) -> None:
        self.store = store_at(line.s3_port, line.bucket)
        self._kept: dict[str, bytes] = {}
        self._name = line.bucket

    def first(self, topic: str) -> Manifest:
        return next(m for _, m in manifests(self.store, topic))

    def last(self, topic: str) -> Manifest:
        """Return the last segment of the first partition; how many there are is a matter of time."""
        number = self.first(topic).partition
        return [m for _, m in manifests(self.store, topic) if m.partition == number][-1]

    def change(self, key: str, data: bytes | None) -> None:
        self._kept.setdefault(key, self.store.get(key))
        self._put(key, data)

    def mend(self) -> None:
        for key, data in self._kept.items():
            self._put(key, data)

    def _put(self, key: str, data: bytes | None) -> None:
        if data is None:
            self.store._client.delete_object(Bucket=self._name, Key=key)
        else:
            self.store._client.put_object(Bucket=self._name, Key=key, Body=data)


@pytest.fixture
def bucket(loaded: Line) -> Iterator[Bucket]:
    made = Bucket(loaded)
    yield made
    made.mend()


def test_a_sound_line_is_said_to_be_sound(loaded: Line) -> None:
    code, said = depeche_verify(loaded)
    assert (code, said["faults"], said["unchecked"]) == (0, [], [])
    counts = said["counts"]
    assert 0 < counts["normalise: inputs"] == counts["enrich: emitted"] == counts["tables: articles"]
    assert counts[f"{flow.FETCHED}: archived"] == counts["normalise: inputs"]
    assert counts["garbage: files"] == 0


def test_a_changed_byte_is_named_and_a_range_without_it_is_sound(loaded: Line, bucket: Bucket) -> None:
    broken = bucket.first(flow.FETCHED)
    key = broken.tables["records"].key
    data = bytearray(bucket.store.get(key))
    data[len(data) // 2] ^= 1
    bucket.change(key, bytes(data))
    place = f"{flow.FETCHED}[{broken.partition}]@{broken.start}"
    for words in ((), ("--store-only",), ("--topic", flow.FETCHED, "--until", str(broken.end))):
        code, said = depeche_verify(loaded, *words)
        assert (code, [fault["where"] for fault in said["faults"]]) == (1, [place])
    assert depeche_verify(loaded, "--topic", flow.ENRICHED)[0] == 0
    assert depeche_verify(loaded, "--from", "2099-01-01")[0] == 0


def test_a_segment_that_is_gone_is_missed_although_it_was_the_last(loaded: Line, bucket: Bucket) -> None:
    gone = bucket.last(flow.ENRICHED)
    key = manifest_key(flow.ENRICHED, gone.partition, gone.start)
    bucket.change(key, None)
    code, said = depeche_verify(loaded)
    assert code == 1
    places = {(fault["invariant"], fault["where"]) for fault in said["faults"]}
    assert places == {("chain", f"{flow.ENRICHED}[{gone.partition}]@{gone.start}"), ("tables", key)}
