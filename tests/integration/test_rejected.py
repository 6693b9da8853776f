"""Rejections on a real broker: retried once by however many at once, and never dropped for want of a quarantine."""

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from pipeline import bootstrap, codec, flow, progress
from pipeline.adapters.kafka import KafkaBrowser, KafkaLog, KafkaWriter
from pipeline.errors import Flaw, RetryLater
from pipeline.operate import rejected
from pipeline.ports import Message
from pipeline.transform import Transform
from tests.fixtures.own_line import own_line
from tests.flow.world import ENGLISH, World

ROOT = Path(__file__).parent.parent.parent
REFUSED = flow.rejected(flow.FETCHED)


class Line:
    """A broker of its own, with every topic."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.browser = KafkaBrowser(where)
        self.world = World()

    def publish(self, *numbers: int) -> None:
        self.world.publish([self.world.raw(n, ENGLISH) for n in numbers])
        records = sorted(self.world.records(flow.FETCHED), key=lambda r: r.timestamp)[-len(numbers) :]
        writer = KafkaWriter(self.where, f"seed-{uuid4().hex}")
        writer.write([Message(r.topic, r.key, r.headers, r.value) for r in records])
        writer.close()

    def normaliser(self) -> Transform:
        step = flow.step("normalise")
        return Transform(
            step,
            self.world.handle("normalise"),
            open_log=lambda job: KafkaLog(
                self.where, group=flow.group("normalise"), topics=[step.reads], instance="normalise-0", rebalance=job
            ),
            browser=self.browser,
            clock=self.world.clock,
        )

    def normalise(self) -> None:
        worker = self.normaliser()
        until = progress.ends(self.browser, flow.FETCHED)
        while not progress.has_passed(self.browser, flow.group("normalise"), until):
            worker.work(worker.log.poll(0.5, 100))
        worker.finish()

    def rejections(self) -> list[rejected.Entry]:
        return list(rejected.entries(self.browser))

    def causes(self) -> list[str]:
        """Return the causes of the fetched events that have one: those were tried again."""
        out = []
        for partition, (start, end) in self.browser.bounds(flow.FETCHED).items():
            for record in self.browser.read(partition, start, end):
                event = codec.decode(record)
                assert not isinstance(event, Flaw)
                if event.envelope.causationid:
                    out.append(event.envelope.causationid)
        return out


@pytest.fixture(scope="module")
def line(s3_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with own_line(tmp_path_factory.mktemp("rejected"), s3_port) as kafka:
        made = Line(kafka)
        yield made
        made.browser.close()


def test_four_retries_at_once_write_each_rejection_once(line: Line) -> None:
    line.publish(*range(12))
    line.normalise()
    assert len(line.rejections()) == 12

    def retry(_: int) -> int:
        with contextlib.suppress(RetryLater):  # fenced by another: its lots are whole or not there
            return bootstrap.retry_rejected(lambda _: rejected.Wanted(reason="not_french").has).written
        return 0

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(retry, range(4)))
    report = bootstrap.retry_rejected(lambda _: rejected.ALL.has)
    assert report.written + report.done_before == 12
    assert sorted(line.causes()) == sorted(entry.envelope.id for entry in line.rejections())


def depeche(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person does."""
    command = [sys.executable, "-m", "pipeline.cli", "rejected", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_rejections_are_listed_counted_shown_and_exported(line: Line, tmp_path: Path) -> None:
    rows = json.loads(depeche("list", "--json", "--reason", "not_french", "--source", "test").stdout)
    assert len(rows) == 12
    assert depeche("list", "--reason", "empty").stderr == "nothing was rejected\n"
    assert json.loads(depeche("count", "--json").stdout) == [
        {"stage": "normalise", "reason": "not_french", "count": 12}
    ]
    shown = json.loads(depeche("show", rows[0]["id"][:13]).stdout)
    assert shown["id"] == rows[0]["id"]
    printed = [json.loads(row) for row in depeche("export").stdout.splitlines()]
    ran = depeche("export", "--to", str(tmp_path / "out"))
    assert ran.returncode == 0, ran.stderr
    written = [json.loads(row) for row in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert len(printed) == len(written) == 12
    for one, two in zip(printed, written, strict=True):
        original = base64.b64decode(one["original_base64"])
        assert original == (tmp_path / "out" / two["file"]).read_bytes()
        assert ENGLISH.encode() in base64.b64decode(json.loads(original)["body"])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["retry"], 2, "or use --all"),
        (["list", "--since", "soon"], 2, "no day"),
        (["show", "nothing"], 1, "0 rejections"),
        (["retry", "nothing"], 1, "0 rejections"),
        (["export", "--to", "/dev/null/x"], 2, "cannot be written to"),
        (["retry", "--all"], 0, "0 written again, 12 had been before, 0 cannot be"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(line: Line, words: list[str], code: int, says: str) -> None:
    ran = depeche(*words)
    assert (ran.returncode, "Traceback" in ran.stderr) == (code, False)
    assert says in ran.stderr


def test_a_retry_that_fails_again_is_a_rejection_of_its_own(line: Line) -> None:
    first = {entry.envelope.id for entry in line.rejections()}
    line.normalise()
    second = {entry.envelope.id for entry in line.rejections()} - first
    assert len(second) == len(first)
    assert bootstrap.retry_rejected(lambda _: rejected.ALL.has) == rejected.Report(len(second), len(first))
    line.normalise()


def test_a_quarantine_that_refuses_stops_the_line_and_nothing_is_committed(line: Line) -> None:
    before = line.browser.committed(flow.group("normalise"), flow.FETCHED)
    line.publish(50, 51)
    set_limit(line.where, 100)  # bytes: no rejection is so small
    try:
        stopped(line)
        assert line.browser.committed(flow.group("normalise"), flow.FETCHED) == before
    finally:
        set_limit(line.where, 16 * 2**20)
    count = len(line.rejections())
    line.normalise()
    assert len(line.rejections()) == count + 2


def test_a_quarantine_that_is_not_there_stops_the_line_and_nothing_is_committed(line: Line) -> None:
    before = line.browser.committed(flow.group("normalise"), flow.FETCHED)
    line.publish(60)
    admin = KafkaAdminClient(bootstrap_servers=line.where)
    admin.delete_topics([REFUSED])
    admin.close()
    stopped(line)
    assert line.browser.committed(flow.group("normalise"), flow.FETCHED) == before
    assert bootstrap.prepare(bootstrap.settings()) == [REFUSED]
    line.normalise()
    assert len(line.rejections()) == 1


def stopped(line: Line) -> None:
    """Let a worker read until the quarantine refuses what it turns down."""
    worker = line.normaliser()

    def work() -> None:
        for _ in range(20):
            worker.work(worker.log.poll(0.5, 100))

    with pytest.raises(RetryLater):
        work()
    worker.finish()


def set_limit(where: str, size: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=where)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, REFUSED, {"max.message.bytes": str(size)})])
    admin.close()
