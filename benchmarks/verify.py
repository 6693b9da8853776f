"""`depeche verify` over the segments of a folder: records a second beside a bare loop that only reads and hashes the
same files, and peak memory for few and for many records. One core, the log and the tables left out.

One segment is cut as the archive cuts it; the others repeat its rows under offsets and ids of their own.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import codec, flow
from pipeline.adapters.files import DirectoryStore
from pipeline.events import Article, EnrichedArticle, Entity, Event, Evidence, Mention, ModelStamp, NewsEvent
from pipeline.manifest import Manifest, TableFile, data_key, manifest_key, read_manifest, write_manifest
from pipeline.operate.verify import verify
from pipeline.ports import Record
from pipeline.store import segment

_IN_A_SEGMENT = 10_000
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Figure(NamedTuple):
    """One run over one store, in a process of its own. Rates are records a second."""

    what: str
    records: int
    rate: float
    cpu_rate: float
    """Records per second of processor time: what a core that is not shared would do."""
    bare_rate: float
    bare_cpu_rate: float
    peak_mb: float
    start_mb: float
    """Memory when everything was imported and nothing read."""


def measure() -> list[Figure]:
    """Return figures for 200,000 and 2,000,000 small records, and for 1,000,000 enriched articles."""
    out = []
    for what, topic, few in (
        ("small records", flow.FETCHED, 200_000),
        ("small records", flow.FETCHED, 2_000_000),
        ("articles", flow.ENRICHED, 1_000_000),
    ):
        with tempfile.TemporaryDirectory() as folder:
            _fill(DirectoryStore(Path(folder)), topic, few)
            ran = subprocess.run(
                [sys.executable, "-m", "benchmarks.verify", folder], capture_output=True, text=True, check=True
            )
            out.append(Figure(what, **json.loads(ran.stdout)))
    return out


# One store


def _fill(store: DirectoryStore, topic: str, records: int) -> None:
    sample = [_small(n) if topic == flow.FETCHED else _article(n) for n in range(_IN_A_SEGMENT)]
    cut = segment(sample, start=0, end=len(sample), now=_NOW, unique="bench")
    manifest = read_manifest(cut.manifest)
    names = {file.key: name for name, file in manifest.tables.items()}
    tables = {names[file.key]: pq.read_table(io.BytesIO(file.data)) for file in cut.files}
    chance = np.random.default_rng(1)
    for start in range(0, records, _IN_A_SEGMENT):
        described = {}
        for name, data in _moved(tables, start, chance).items():
            key = data_key(topic, name, manifest.dt, 0, start, "bench")
            store.create(key, data)
            described[name] = msgspec.structs.replace(
                manifest.tables[name], key=key, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
            )
        _commit(store, topic, start, manifest, described)


def _commit(store: DirectoryStore, topic: str, start: int, manifest: Manifest, described: dict[str, TableFile]) -> None:
    moved = msgspec.structs.replace(manifest, start=start, end=start + _IN_A_SEGMENT, tables=described)
    store.create(manifest_key(topic, 0, start), write_manifest(moved))


def _moved(tables: Mapping[str, pa.Table], start: int, chance: np.random.Generator) -> dict[str, bytes]:
    """Return the tables as files, their offsets moved and their ids made new."""
    out = {}
    ids, articles = _uuids(_IN_A_SEGMENT, chance), _uuids(_IN_A_SEGMENT, chance)
    for name, table in tables.items():
        offsets = table["log_offset"].to_numpy()
        new = {"log_offset": pa.array(offsets + start)}
        if "source_event_id" in table.column_names:
            new |= {"source_event_id": ids.take(pa.array(offsets)), "article_id": articles.take(pa.array(offsets))}
        elif name == "records":
            new["event_id"] = ids
        for column, values in new.items():
            at = table.schema.get_field_index(column)
            table = table.set_column(at, table.schema.field(column), values)  # noqa: PLW2901
        data = io.BytesIO()
        pq.write_table(table, data, compression="zstd")
        out[name] = data.getvalue()
    return out


def _uuids(count: int, chance: np.random.Generator) -> pa.StringArray:
    """Return so many different ids of 36 characters."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[chance.integers(0, 16, (count, 36))]
    digits[:, [8, 13, 18, 23]] = ord("-")
    ends = pa.py_buffer(np.arange(0, 36 * count + 1, 36, dtype=np.int32))
    return pa.StringArray.from_buffers(count, ends, pa.py_buffer(digits.tobytes()))


def _small(n: int) -> Record:
    """Return a record of about 100 bytes with the headers that all our events have."""
    heads = {name: f"{name}-{n:027d}" for name in ("ce_id", "ce_correlationid", "ce_causationid", "ce_traceparent")}
    heads |= {"ce_type": flow.FETCHED, "ce_specversion": "1.0", "ce_source": "/depeche", "ce_time": _NOW.isoformat()}
    headers = tuple((name, value.encode()) for name, value in heads.items())
    value = json.dumps({"article_id": f"{n:036d}", "text": hashlib.sha256(str(n).encode()).hexdigest()[:30]}).encode()
    return Record(flow.FETCHED, 0, n, _NOW, f"{n:036d}".encode(), headers, value)


def _article(n: int) -> Record:
    """Return an enriched article with 12 mentions, 8 entities and 2 events."""
    text = f"Le ministre {n} a accusé mardi la Russie d'avoir attaqué Kiev, selon un communiqué publié à Paris."
    proof = Evidence(start=0, end=len(text), text=text)
    article = Article(
        article_id=f"{n:036d}",
        revision=1,
        source="bench",
        url=None,
        title=None,
        authors=(),
        published_at=None,
        published_precision=None,
        fetched_at=_NOW,
        language="fr",
        content_hash=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
        sentences=(),
    )
    event = NewsEvent(
        event_id=f"{n}",
        type="ACCUSE",
        mode=None,
        contexts=(),
        status="asserted",
        confidence=0.9,
        quad_class=3,
        plover_score=-2.0,
        cameo_root=None,
        goldstein=None,
        sentence=proof,
        trigger=proof,
    )
    data = EnrichedArticle(
        article=article,
        mentions=tuple(
            Mention(start=k, end=k + 2, text="Le", type="PER", entity_id=None, confidence=0.5) for k in range(12)
        ),
        entities=tuple(Entity(entity_id=f"e{k}", type="PER", name=f"Nom {k}") for k in range(8)),
        times=(),
        events=(event, event),
        model=ModelStamp(name="bench", version="1", sha256="0" * 64),
        processed_at=_NOW,
    )
    wire = codec.encode(Event(codec.envelope(data, time=_NOW, cause=None), data))
    return Record(flow.ENRICHED, 0, n, _NOW, wire.key, wire.headers, wire.value)


# One run


def run(folder: Path) -> dict[str, float]:
    """Return the figures of one store, on one core; the bare loop goes first and so pays for a cold cache."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    store = DirectoryStore(folder)
    clocks = [_clocks()]
    for info in store.list("data/"):
        hashlib.sha256(store.get(info.key)).hexdigest()
    clocks.append(_clocks())
    start_mb = _peak_mb()
    verdict = verify(store)
    clocks.append(_clocks())
    assert verdict.sound, verdict.faults
    records = sum(count for what, count in verdict.counts.items() if what.endswith("archived"))
    (bare, bare_cpu), (full, full_cpu) = (
        (after[0] - before[0], after[1] - before[1]) for before, after in pairwise(clocks)
    )
    return {
        "records": records,
        "rate": records / full,
        "cpu_rate": records / full_cpu,
        "bare_rate": records / bare,
        "bare_cpu_rate": records / bare_cpu,
        "peak_mb": _peak_mb(),
        "start_mb": start_mb,
    }


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _peak_mb() -> float:
    # `ru_maxrss` would count the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
