"""What the simulated workers are made of: a log and a store that fail, a cheap cut, and where a process may die."""

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from pipeline import flow
from pipeline.adapters.memory import MemoryLog
from pipeline.adapters.memory_store import MemoryStore
from pipeline.errors import RetryLater
from pipeline.manifest import FORMAT, Manifest, TableFile, data_key, manifest_key, write_manifest
from pipeline.ports import Message, Partition, Record

PARTITIONS = 2
ARCHIVED = (flow.FETCHED, flow.NORMALISED, flow.rejected(flow.FETCHED))
CRASH_POINTS = (
    "transform 1: read, not decided",
    "transform 2: decided, not committed",
    "transform 3: committed, not remembered",
    "archive 1: cut, nothing stored",
    "archive 2: a file stored",
    "archive 3: manifest created, not noted",
    "archive 4: noted, group not told",
    "archive 4: group told",
)


class Crash(BaseException):
    """The process dies here."""


class _File(NamedTuple):
    key: str
    data: bytes


class _Segment(NamedTuple):
    files: Sequence[_File]
    manifest_key: str
    manifest: bytes


def cut(records: Sequence[Record], *, start: int, end: int, now: datetime, unique: str) -> _Segment:
    """Return a segment of two files that hold the offsets, and its manifest."""
    topic, number = records[0].topic, records[0].partition
    files, tables = [], {}
    for table in (0, 1):
        offsets = [r.offset for r in records if r.offset % 2 == table]
        data = json.dumps(offsets).encode()
        key = data_key(topic, f"t{table}", "2026-01-01", number, start, unique)
        files.append(_File(key, data))
        tables[f"t{table}"] = TableFile(key=key, rows=len(offsets), bytes=len(data), sha256=sha256(data).hexdigest())
    manifest = Manifest(
        format=FORMAT,
        topic=topic,
        partition=number,
        start=start,
        end=end,
        records=len(records),
        dt="2026-01-01",
        first_timestamp=records[0].timestamp,
        last_timestamp=records[-1].timestamp,
        created_at=now,
        code_version="simulation",
        tables=tables,
    )
    return _Segment(files, manifest_key(topic, number, start), write_manifest(manifest))


@dataclass
class Faults:
    """What may go wrong, drawn from one seeded source, and how often each crash point was reached and killed."""

    chance: random.Random
    crash: float = 0.0
    lost_answer: float = 0.0
    pause: float = 0.0
    fall_asleep: Callable[[str], None] = lambda _: None
    reached: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)

    def point(self, name: str, instance: str) -> None:
        """Fall asleep here while the others go on, die here, or neither."""
        self.reached[name] += 1
        if self.chance.random() < self.pause:
            self.fall_asleep(instance)
        if self.chance.random() < self.crash:
            self.killed[name] += 1
            raise Crash(name)

    def answer(self) -> None:
        """Let the answer to something that happened get lost, or not."""
        if self.chance.random() < self.lost_answer:
            raise RetryLater("it happened, but the answer was lost")


class FaultyLog(MemoryLog):
    faults: Faults
    before = after = instance = ""

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        self.faults.point(self.before, self.instance)
        super().commit(messages, positions)
        self.faults.answer()
        self.faults.point(self.after, self.instance)


class FaultyStore:
    """`ObjectStore` of one worker over the common one, with crashes and lost answers around each write."""

    def __init__(self, inner: MemoryStore, faults: Faults, instance: str) -> None:
        self._inner = inner
        self._faults = faults
        self._instance = instance

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        is_manifest = key.startswith("log/")
        if not is_manifest:
            self._faults.point("archive 1: cut, nothing stored", self._instance)
        created = self._inner.create(key, data, metadata)
        self._faults.answer()
        name = "archive 3: manifest created, not noted" if is_manifest else "archive 2: a file stored"
        self._faults.point(name, self._instance)
        return created

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
