"""A worker process of the product that can be made to die, or to stop, at a numbered commit step.

Nothing in the product knows of it: the calls of the SDKs are watched from outside. Forked from a server that has
imported everything, so that a restart costs a tenth of a second and not two.
"""

import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3  # noqa: F401 - preloaded for all forks
import duckdb  # noqa: F401
import kafka
import kafka.errors
import pyarrow.parquet  # noqa: F401
from kafka.structs import OffsetAndMetadata

import pipeline.bootstrap.night
import pipeline.bootstrap.reading
import pipeline.bootstrap.workers
import pipeline.enrich
import pipeline.normalise
from pipeline import cli, flow
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka import KafkaLog
from pipeline.adapters.memory_model import MemoryModel
from pipeline.adapters.s3 import S3Store
from pipeline.archive import Archive
from tests.chaos.real.plan import Doom

CLOCK, DEATHS = "clock", "deaths"
"""Files in the run's folder: seconds by which clocks are wrong; a line for each doom that came true."""


def start(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, dooms: Sequence[Doom], broken: str
) -> None:
    """Be `depeche …`: the target of a new process. Ends with its exit code."""
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDONLY) if stream == 0 else out, stream)
    os.environ.update(environment)
    _set_clocks(folder / CLOCK)
    _read_by_memory()
    _watch(_Watch(folder / DEATHS, dooms))
    if broken:
        MUTANTS[broken]()
    sys.argv = ["depeche", *words]
    cli.main()


class _Watch:
    """Counts visits of each point and carries out what is due."""

    def __init__(self, book: Path, dooms: Sequence[Doom]) -> None:
        self._book = os.open(book, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._due = {(doom.point, doom.visit): doom for doom in dooms}
        self._visits: Counter[str] = Counter()

    def at(self, point: str) -> None:
        self._visits[point] += 1
        doom = self._due.get((point, self._visits[point]))
        if doom is not None:
            os.write(self._book, f"{doom.act}\t{doom.instance}\t{point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL if doom.act == "kill" else signal.SIGSTOP)


def _around(owner: Any, name: str, before: Callable[..., None], after: Callable[..., None]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        before(*args, **kwargs)
        result = original(*args, **kwargs)
        after(*args, **kwargs)
        return result

    setattr(owner, name, watched)


def _watch(watch: _Watch) -> None:
    def at(point: str) -> Callable[..., None]:
        return lambda *_, **__: watch.at(point)

    def nothing(*_: Any, **__: Any) -> None:
        pass

    def before_create(_: Any, key: str, *__: Any, **___: Any) -> None:
        if key.startswith("data/"):
            watch.at("archive 1: cut, nothing stored")

    def after_create(_: Any, key: str, *__: Any, **___: Any) -> None:
        if key.startswith("data/"):
            watch.at("archive 2: a file stored")
        elif key.startswith("log/"):
            watch.at("archive 3: manifest created, not noted")

    for module, name in ((pipeline.normalise, "normalise"), (pipeline.enrich, "enrich")):
        _around(module, name, at("transform 1: read, not decided"), nothing)
    producer = kafka.KafkaProducer
    _around(producer, "begin_transaction", at("transform 2: decided, nothing written"), nothing)
    _around(producer, "send_offsets_to_transaction", at("transform 3: written, positions not"), nothing)
    _around(
        producer,
        "commit_transaction",
        at("transform 3: positions sent, not committed"),
        at("transform 3: committed, not remembered"),
    )
    _around(S3Store, "create", before_create, after_create)
    _around(kafka.KafkaConsumer, "commit", at("archive 4: noted, group not told"), at("archive 4: group told"))


def _set_clocks(file: Path) -> None:
    def now(_: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(file.read_text() or 0))

    SystemClock.now = now  # type: ignore[method-assign]


def _read_by_memory() -> None:
    """Read with the model's twin: how articles are read is no part of how they are delivered."""

    def model(_: Any) -> MemoryModel:
        return MemoryModel({"Russie": "LOC", "Kiev": "LOC", "Paris": "LOC"}, {"accusé": "ACCUSE"})

    for module in (pipeline.bootstrap.reading, pipeline.bootstrap.workers):
        module.model = model  # type: ignore[attr-defined]


def leave_transaction_open(bootstrap: str, name: str) -> None:
    """Write three records and die before the end of the transaction; what follows waits until the broker ends it."""
    producer = kafka.KafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=name, transaction_timeout_ms=10_000, max_block_ms=5_000
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for _ in range(3):
            producer.send(flow.FETCHED, value=b"never committed", key=b"open")
        producer.flush(timeout=5)
    except kafka.errors.KafkaError:
        pass  # the broker is down: there is no transaction to leave open
    os.kill(os.getpid(), signal.SIGKILL)


def _positions_apart() -> None:
    def at_least_once(self: Any, messages: Any, positions: Any) -> None:
        offsets = {kafka.TopicPartition(*p): OffsetAndMetadata(at, "", -1) for p, at in positions.items()}
        if self._writer is not None:
            self._writer.write(messages)
        self._consumer.commit(offsets)

    KafkaLog.commit = at_least_once  # type: ignore[method-assign]


def _told_by_the_group() -> None:
    assigned = Archive.assigned

    def forgetful(self: Archive, partitions: Any) -> Any:
        assigned(self, partitions)
        return {}

    Archive.assigned = forgetful  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[], None]] = {
    "positions are committed apart from the outcomes": _positions_apart,
    "the archive believes what the group was told": _told_by_the_group,
}
"""Workers whose promise is broken on purpose: the judges must find each."""
