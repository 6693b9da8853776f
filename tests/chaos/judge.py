"""Has each input one outcome, is each record in one segment, do the chains hold?"""

import json
from collections import Counter
from hashlib import sha256
from itertools import pairwise

from pipeline import codec, flow
from pipeline.adapters.memory import MemoryBroker
from pipeline.adapters.memory_store import MemoryStore
from pipeline.errors import Flaw
from pipeline.events import Article, ArticleState
from pipeline.manifest import manifests
from pipeline.ports import Partition, Record
from tests.chaos.faults import ARCHIVED


def judge(broker: MemoryBroker, store: MemoryStore, inputs: int) -> list[str]:
    """Return every broken promise in words."""
    return [*_outcomes(broker, inputs), *_segments(broker, store)]


def _outcomes(broker: MemoryBroker, inputs: int) -> list[str]:
    wrong = []
    causes: Counter[str] = Counter()
    emitted, ids = 0, Counter[str]()
    texts: dict[str, list[tuple[int, str]]] = {}
    for record in _records(broker, flow.NORMALISED):
        event = codec.decode(record)
        assert not isinstance(event, Flaw)
        assert isinstance(event.data, Article)
        emitted += 1
        ids[event.envelope.id] += 1
        causes[event.envelope.causationid or ""] += 1
        texts.setdefault(event.data.article_id, []).append((event.data.revision, event.data.text))
    positions: Counter[str] = Counter()
    for record in _records(broker, flow.rejected(flow.FETCHED)):
        event = codec.decode(record)
        assert not isinstance(event, Flaw)
        positions[event.data.position] += 1  # type: ignore[union-attr]
    states: dict[str, ArticleState] = {}
    for record in _records(broker, flow.ARTICLE_STATE):
        event = codec.decode(record)
        assert not isinstance(event, Flaw)
        assert isinstance(event.data, ArticleState)
        states[event.data.article_id] = event.data
    unchanged = sum(state.unchanged for state in states.values())
    wrong += [f"event {name} stands {n} times" for name, n in ids.items() if n > 1]
    wrong += [f"input {name} has {n} results" for name, n in causes.items() if n > 1]
    wrong += [f"{name} was rejected {n} times" for name, n in positions.items() if n > 1]
    if emitted + unchanged + sum(positions.values()) != inputs:
        wrong.append(f"{inputs} inputs: {emitted} emitted, {unchanged} unchanged, {len(positions)} rejected")
    for name, found in texts.items():
        if [revision for revision, _ in found] != list(range(1, len(found) + 1)):
            wrong.append(f"revisions of {name}: {[revision for revision, _ in found]}")
        if any(a == b for (_, a), (_, b) in pairwise(found)):
            wrong.append(f"{name} has two revisions with one text: {found}")
    return wrong


def _segments(broker: MemoryBroker, store: MemoryStore) -> list[str]:
    wrong = []
    for topic in ARCHIVED:
        ends: dict[int, int] = {}
        held: Counter[tuple[int, int]] = Counter()
        for key, manifest in manifests(store, topic):
            if manifest.start != ends.get(manifest.partition, 0):
                wrong.append(f"{key} starts at {manifest.start}, not {ends.get(manifest.partition, 0)}")
            ends[manifest.partition] = manifest.end
            for file in manifest.tables.values():
                data = store.objects.get(file.key, (b"",))[0]
                if sha256(data).hexdigest() != file.sha256:
                    wrong.append(f"{key}: {file.key} is missing or another")
                    continue
                held.update((manifest.partition, offset) for offset in json.loads(data))
        there = Counter((r.partition, r.offset) for r in _records(broker, topic))
        if held != there:
            wrong.append(f"{topic}: lost {there - held}, doubled {held - there}")
        told = broker.positions(flow.group("archive"))
        for number, end in ends.items():
            if told.get(Partition(topic, number)) != end:
                wrong.append(f"{topic}[{number}]: the group was told {told.get(Partition(topic, number))}, not {end}")
    return wrong


def _records(broker: MemoryBroker, topic: str) -> list[Record]:
    return [r for p in broker.partitions(topic) for r in broker.records(p)]
