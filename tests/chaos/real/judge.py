"""Two judges of one run: the product's own `verify`, and a count that shares no code with it."""

import contextlib
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from pipeline import bootstrap, codec, flow
from pipeline.errors import Flaw
from pipeline.events import Article, ArticleState, Rejected, Withdrawn
from pipeline.manifest import manifests
from pipeline.ports import LogBrowser, Message, Record
from tests.chaos.real.inputs import identity


def judge(written: Sequence[Message], folder: Path) -> list[str]:
    """Return every broken promise in words."""
    del folder
    bootstrap.load_warehouse()
    verdict = bootstrap.verdict(lambda _: None)
    wrong = [f"verify: {fault.invariant}: {fault.where}: {fault.detail}" for fault in verdict.faults]
    settings = bootstrap.settings()
    with bootstrap.browser(settings) as browser:
        wrong += _inputs(browser, written)
        wrong += _outcomes(browser, len(written))
        for topic in flow.ARCHIVED:
            wrong += _segments(browser, topic)
    return wrong


def _records(browser: LogBrowser, topic: str) -> list[Record]:
    return [r for p, (start, end) in browser.bounds(topic).items() for r in browser.read(p, start, end)]


def _inputs(browser: LogBrowser, written: Sequence[Message]) -> list[str]:
    there = Counter(identity(record) for record in _records(browser, flow.FETCHED))
    wanted = Counter(identity(message) for message in written)
    return [] if there == wanted else [f"inputs: lost {wanted - there}, doubled {there - wanted}"]


def _outcomes(browser: LogBrowser, inputs: int) -> list[str]:
    wrong = []
    causes: Counter[str] = Counter()
    revisions: dict[str, list[int]] = {}
    for record in _records(browser, flow.NORMALISED):
        event = codec.decode(record)
        assert not isinstance(event, Flaw)
        assert isinstance(event.data, Article | Withdrawn)
        causes[event.envelope.causationid or ""] += 1
        revisions.setdefault(event.data.article_id, []).append(event.data.revision)
    normalised = sum(causes.values())
    refused = _refused(browser, flow.FETCHED)
    unchanged = 0
    states: dict[str, int] = {}
    for record in _records(browser, flow.ARTICLE_STATE):
        event = codec.decode(record)
        assert not isinstance(event, Flaw)
        assert isinstance(event.data, ArticleState)
        states[event.data.article_id] = event.data.unchanged
    unchanged = sum(states.values())
    if normalised + unchanged + sum(refused.values()) != inputs:
        wrong.append(
            f"{inputs} inputs: {normalised} normalised, {unchanged} unchanged, {sum(refused.values())} rejected"
        )
    wrong += [f"input {name} has {n} results" for name, n in causes.items() if n > 1]
    wrong += [f"{where} was rejected {n} times" for where, n in refused.items() if n > 1]
    for name, found in revisions.items():
        if found != list(range(1, len(found) + 1)):
            wrong.append(f"revisions of {name}: {found}")
    enriched = Counter(dict(r.headers)["ce_causationid"].decode() for r in _records(browser, flow.ENRICHED))
    ids = Counter(dict(r.headers)["ce_id"].decode() for r in _records(browser, flow.NORMALISED))
    if enriched != ids:
        wrong.append(f"enrich: lost {ids - enriched}, doubled {enriched - ids}")
    return wrong


def _refused(browser: LogBrowser, topic: str) -> Counter[str]:
    positions: Counter[str] = Counter()
    for record in _records(browser, flow.rejected(topic)):
        event = codec.decode(record)
        assert not isinstance(event, Flaw)
        assert isinstance(event.data, Rejected)
        positions[event.data.position] += 1
    return positions


def _segments(browser: LogBrowser, topic: str) -> list[str]:
    """Compare the offsets in the files that manifests name with those in the log."""
    store = bootstrap.store(bootstrap.settings())
    held: Counter[tuple[int, int]] = Counter()
    for _, manifest in manifests(store, topic):
        for name in ("records", "articles", "undecodable"):
            with contextlib.suppress(KeyError):
                table = pq.read_table(io.BytesIO(store.get(manifest.tables[name].key)), columns=["log_offset"])
                held.update((manifest.partition, offset) for offset in table["log_offset"].to_pylist())
    there = Counter((record.partition, record.offset) for record in _records(browser, topic))
    return [] if held == there else [f"{topic}: lost {there - held}, doubled {held - there}"]
