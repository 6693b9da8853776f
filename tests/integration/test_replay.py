"""A replay on real Kafka, S3 and model: killed, gone on with, compared, switched to, and rolled back."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline import bootstrap, codec, flow, versions
from pipeline.adapters.kafka import KafkaBrowser, KafkaWriter
from pipeline.errors import Misconfigured
from pipeline.events import Event, Withdrawn
from pipeline.manifest import manifests
from pipeline.operate.verify import verify
from pipeline.ports import Message
from pipeline.store.outcomes import table_of
from tests.fixtures.own_line import own_line
from tests.fixtures.seeds import SEEDS

ROOT = Path(__file__).parent.parent.parent
MODEL = ROOT / "models" / "fr-news-small"


@pytest.fixture(scope="module")
def home(s3_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the folder of a line whose archive ends before its log does, with its live version in the tables."""
    home = tmp_path_factory.mktemp("replay")
    sources = {"SEGMENT_SECONDS": "0.3", "SOURCES": str(SEEDS / "sources.yaml")}
    with own_line(home, s3_port, **sources):
        bootstrap.fetch_sources(["agence-textes"])
        run("archive")
        bootstrap.fetch_sources(["archives-jsonl"])
        yield home


def run(*steps: str) -> None:
    for step in steps:
        bootstrap.run_step(step, until_caught_up=True, stop=lambda: False)


def other_model(home: Path) -> Path:
    """Return a model with another hash that takes fewer events for certain."""
    folder = home / "other-model"
    shutil.copytree(MODEL, folder)
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    config["version"] = "9.9.9"
    config["thresholds"]["event"] = dict.fromkeys(config["thresholds"]["event"], 0.9)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with (folder / "model.onnx").open("ab") as graph:
        graph.write(b"\x32\x05other")  # protobuf: the graph's doc_string
    return folder


def depeche(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person does."""
    command = [sys.executable, "-m", "pipeline.cli", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def inputs_and_outcomes(version: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    s = bootstrap.settings()
    looking = KafkaBrowser(s.kafka_bootstrap)
    inputs = [
        (p.number, record.offset)
        for p, (start, end) in looking.bounds(flow.FETCHED).items()
        for record in looking.read(p, start, end)
    ]
    looking.close()
    view = versions.view(bootstrap.store(s), version)
    outcomes = [
        (manifest.partition, offset)
        for _, manifest in manifests(view, flow.ENRICHED)
        for offset in table_of(view.get(manifest.tables["outcomes"].key))["log_offset"].to_pylist()
    ]
    return sorted(inputs), sorted(outcomes)


def answer(sql: str) -> list[tuple[object, ...]]:
    return bootstrap.query(sql)[1]


def events() -> list[tuple[object, ...]]:
    return answer("SELECT article_id, type, trigger_start, actors, place_name, event_id FROM events ORDER BY ALL")


# Dies when the second of a version's segments is stored; a third is still to come, since each partition has one.
DYING = """
import os, signal
from pipeline.adapters.s3 import S3Store
from pipeline.cli import main

create, manifests = S3Store.create, []

def dying(store, key, *rest, **more):
    made = create(store, key, *rest, **more)
    manifests.extend([key] if key.startswith("versions/") and key.endswith(".json") else [])
    if len(manifests) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return made

S3Store.create = dying
main()
"""


class Replayed(NamedTuple):
    """What a killed replay had done, of which inputs, and how it went on."""

    inputs: list[tuple[int, int]]
    done_when_killed: list[tuple[int, int]]
    went_on: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def replayed(home: Path) -> Replayed:
    """Replay into `strict` by another model, killed in the midst and gone on with; then load the live version."""
    start = ("replay", "start", "--version", "strict")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEPECHE_MODEL", str(other_model(home)))
        killed = subprocess.run([sys.executable, "-c", DYING, *start], cwd=ROOT, capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        inputs, done = inputs_and_outcomes("strict")
        ran = depeche(*start, "--json")
    assert ran.returncode == 0, ran.stderr
    run("normalise", "enrich", "archive")
    assert bootstrap.load_warehouse()["version"] == versions.LIVE
    return Replayed(inputs, done, ran)


def test_a_replay_by_another_model_is_killed_goes_on_is_switched_to_and_rolled_back(replayed: Replayed) -> None:
    assert 0 < len(replayed.done_when_killed) < len(replayed.inputs) == 33
    assert 0 < json.loads(replayed.went_on.stdout)["emitted"] <= 33 - len(replayed.done_when_killed)
    assert "caught up" in replayed.went_on.stderr
    inputs, done = inputs_and_outcomes("strict")
    assert done == inputs == replayed.inputs

    live = events()
    verdict = bootstrap.verdict(lambda _: None)
    assert verdict.sound, verdict.faults
    with pytest.raises(Misconfigured, match=r"was made with fr-news-small 9\.9\.9"):
        bootstrap.start_replay("strict", stop=lambda: False)

    found = bootstrap.compare_versions("strict")
    assert found.counts["articles"] == (33, 33)
    before, after = found.counts["events"]
    assert (before, 0 < after < before) == (len(live), True)
    assert found.articles.other_reading > 0
    assert found.event_drift > 0

    page = depeche("replay", "compare", "strict").stdout
    assert "Counts" in page
    assert f"Event types, drift {found.event_drift}" in page
    assert json.loads(depeche("replay", "compare", "strict", "--json").stdout)["after"] == "strict"

    refused = depeche("replay", "switch", "nothing")
    assert (refused.returncode, refused.stderr) == (
        1,
        "depeche: there is no version 'nothing'; `depeche replay list` shows those there are\n",
    )
    assert depeche("replay", "rollback").returncode == 1
    assert "readers use strict instead of live" in depeche("replay", "switch", "strict").stderr
    report = bootstrap.load_warehouse()
    assert (report["version"], report["articles"]) == ("strict", 33)
    assert len(events()) == after
    assert answer("SELECT DISTINCT model_version FROM articles") == [("9.9.9",)]
    verdict = bootstrap.verdict(lambda _: None)
    assert verdict.sound, verdict.faults
    view = versions.view(bootstrap.store(bootstrap.settings()), "strict")
    assert verify(view).sound

    assert "readers use live again" in depeche("replay", "rollback").stderr
    assert bootstrap.load_warehouse()["version"] == versions.LIVE
    assert events() == live
    assert bootstrap.verdict(lambda _: None).sound


@pytest.mark.usefixtures("replayed")
def test_a_withdrawal_after_the_replay_is_honoured_by_the_switch_and_stays(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row, *_) = answer("SELECT article_id FROM events")
    name = str(row[0])
    withdraw(name)
    monkeypatch.setenv("DEPECHE_MODEL", str(home / "other-model"))
    bootstrap.switch_version("strict")
    assert bootstrap.load_warehouse()["version"] == "strict"
    gone(name)
    bootstrap.settings().warehouse_path.unlink()
    bootstrap.load_warehouse()
    gone(name)
    run("normalise", "enrich", "archive")
    bootstrap.roll_back()
    bootstrap.load_warehouse()
    gone(name)
    rows = {row["version"]: row for row in json.loads(depeche("replay", "list", "--json").stdout)}
    assert rows[versions.LIVE]["readers"] == "use it"
    assert rows["strict"]["behind"] == 0


def withdraw(name: str) -> None:
    s = bootstrap.settings()
    now = bootstrap.clock().now()
    data = Withdrawn(article_id=name, revision=0, source="test", url=None, reason="410 Gone", fetched_at=now)
    wire = codec.encode(Event(codec.envelope(data, time=now, cause=None), data))
    looking = KafkaBrowser(s.kafka_bootstrap)
    (at,) = {
        p.number
        for p, (start, end) in looking.bounds(flow.FETCHED).items()
        for record in looking.read(p, start, end)
        if record.key == wire.key
    }
    looking.close()
    writer = KafkaWriter(s.kafka_bootstrap, "test-withdraw")
    writer.write([Message(flow.FETCHED, wire.key, wire.headers, wire.value, at)])
    writer.close()


def gone(name: str) -> None:
    assert answer(f"SELECT withdrawn, text FROM articles WHERE article_id = '{name}'") == [(True, None)]
    for table in ("mentions", "entities", "times", "events", "quotes"):
        assert answer(f"SELECT count(*) FROM {table} WHERE article_id = '{name}'") == [(0,)]


def test_a_replay_that_follows_reads_what_comes_in_until_it_is_asked_to_stop(home: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "replay", "start", "--version", "followed", "--follow"]
    replay = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        until_read("followed", replay)
        again = ("2017-01-01T00:00:00+00:00", "2018-01-01T00:00:00+00:00")
        assert bootstrap.fetch_sources(["archives-jsonl"], again)[0]["items"] > 0
        until_read("followed", replay)
    finally:
        replay.terminate()
    said, _ = replay.communicate(timeout=30)
    assert replay.returncode == 0
    assert "followed" in said.decode()


def until_read(version: str, replay: "subprocess.Popen[bytes]") -> None:
    """Return when the version has an outcome of every fetched record."""
    deadline = time.monotonic() + 120
    while True:
        inputs, done = inputs_and_outcomes(version)
        if inputs == done:
            return
        assert replay.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.5)
