"""Nothing lost, nothing twice: the invariants of the line, checked over the store, the log and the tables.

1. Along each partition the segments form a chain: each starts where the one before it ends.
2. Each segment's files are there, have the hash of their manifest, and as many rows as it says.
3. Each event id stands once in all segments of a topic.
4. Every input has one outcome: fetched = normalised + unchanged + rejected, normalised = enriched + rejected.
5. What the log holds before the end of the chain is in the chain.
6. The tables hold what the segments say: the newest revision of each article, once.

A fault names topic, partition and offset. Memory holds the ids of one topic at a time.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import codec, flow
from pipeline.errors import DepecheError, Flaw
from pipeline.events import ArticleState
from pipeline.manifest import Manifest, checked, manifests
from pipeline.ports import LogBrowser, ObjectStore, Partition, Warehouse

Progress = Callable[[str], None]


class Fault(msgspec.Struct, frozen=True):
    """A broken invariant, where it is broken, and how."""

    invariant: str
    where: str
    detail: str


class _Chain(NamedTuple):
    """The segments of one partition: from where to where, and how many records they hold."""

    start: int
    end: int
    records: int


class Verdict(msgspec.Struct, frozen=True):
    """What was checked, and every fault that was found."""

    counts: dict[str, int]
    faults: tuple[Fault, ...]

    @property
    def sound(self) -> bool:
        """Tell whether every invariant holds."""
        return not self.faults


def verify(
    store: ObjectStore,
    browser: LogBrowser | None = None,
    warehouse: Warehouse | None = None,
    *,
    progress: Progress = lambda _: None,
) -> Verdict:
    """Check every invariant that can be checked with what is given."""
    counts: dict[str, int] = {}
    faults: list[Fault] = []
    newest: dict[str, tuple[int, bool]] = {}
    for topic in flow.ARCHIVED:
        progress(topic)
        found, chains = _segments(store, topic, counts, newest if topic == flow.ENRICHED else None)
        faults += found
        if browser is not None:
            faults += _log_in_chain(browser, topic, chains, counts)
    if browser is not None:
        progress("outcomes")
        faults += _outcomes(browser, counts)
    if warehouse is not None:
        progress("tables")
        faults += _tables(warehouse, newest, counts)
    return Verdict(counts, tuple(faults))


def _segments(
    store: ObjectStore, topic: str, counts: dict[str, int], newest: dict[str, tuple[int, bool]] | None
) -> tuple[list[Fault], dict[Partition, _Chain]]:
    """Check chain, files and ids of one topic; return the faults and the chain of each partition."""
    faults: list[Fault] = []
    chains: dict[Partition, _Chain] = {}
    ids: Counter[str] = Counter()
    for key, manifest in manifests(store, topic):
        partition = Partition(topic, manifest.partition)
        chain = chains.get(partition)
        faults += _link(partition, chain.end if chain else None, manifest)
        before = chain or _Chain(manifest.start, manifest.start, 0)
        chains[partition] = _Chain(before.start, manifest.end, before.records + manifest.records)
        for fault in _files(store, key, manifest, ids, newest):
            faults.append(fault)
    counts[f"{topic}: archived"] = sum(chain.records for chain in chains.values())
    twice = [name for name, times in ids.items() if times > 1]
    faults += [Fault("each event id once", topic, f"event {name} stands {ids[name]} times") for name in twice[:100]]
    return faults, chains


def _at(partition: Partition, offset: int) -> str:
    return f"{partition.topic}[{partition.number}]@{offset}"


def _link(partition: Partition, end: int | None, manifest: Manifest) -> Iterator[Fault]:
    if end is not None and manifest.start > end:
        yield Fault("chain", _at(partition, end), f"gap: the next segment starts at {manifest.start}")
    if end is not None and manifest.start < end:
        yield Fault("chain", _at(partition, manifest.start), f"overlap: the segment before ends at {end}")
    if manifest.end <= manifest.start:
        yield Fault("chain", _at(partition, manifest.start), f"the segment ends at {manifest.end}")


def _files(
    store: ObjectStore, key: str, manifest: Manifest, ids: Counter[str], newest: dict[str, tuple[int, bool]] | None
) -> Iterator[Fault]:
    where = _at(Partition(manifest.topic, manifest.partition), manifest.start)
    held = 0
    for name, file in manifest.tables.items():
        try:
            table = pq.read_table(io.BytesIO(checked(file, store)))
        except (DepecheError, pa.ArrowInvalid) as error:
            yield Fault("files", where, f"{key}: {error}")
            continue
        if table.num_rows != file.rows:
            yield Fault("files", where, f"{file.key} has {table.num_rows} rows, its manifest says {file.rows}")
        if name in ("records", "articles", "undecodable"):
            held += table.num_rows
            column = "source_event_id" if name == "articles" else "event_id"
            ids.update(i for i in table[column].to_pylist() if i is not None)
            yield from _offsets(table, manifest)
        if name == "articles" and newest is not None:
            _remember(table, newest)
    if held != manifest.records:
        yield Fault("counts", where, f"{key} says {manifest.records} records, its files hold {held}")


def _offsets(table: pa.Table, manifest: Manifest) -> Iterator[Fault]:
    partition = Partition(manifest.topic, manifest.partition)
    offsets: list[int] = table["log_offset"].combine_chunks().to_numpy(zero_copy_only=False).tolist()
    for offset in offsets:
        if not manifest.start <= offset < manifest.end:
            yield Fault("counts", _at(partition, offset), f"outside its segment [{manifest.start}, {manifest.end})")


def _remember(table: pa.Table, newest: dict[str, tuple[int, bool]]) -> None:
    columns = table.select(["article_id", "revision", "withdrawn"]).to_pydict()
    for name, revision, withdrawn in zip(*columns.values(), strict=True):
        if revision > newest.get(name, (0, False))[0]:
            newest[name] = (revision, withdrawn)


def _log_in_chain(
    browser: LogBrowser, topic: str, chains: dict[Partition, _Chain], counts: dict[str, int]
) -> Iterator[Fault]:
    """Count the log's records before and behind the end of each chain; before it, both must agree."""
    waiting = 0
    for partition, (start, end) in browser.bounds(topic).items():
        chain = chains.get(partition, _Chain(start, start, 0))
        stop = min(chain.end, end)
        waiting += sum(1 for _ in browser.read(partition, stop, end))
        before = sum(1 for _ in browser.read(partition, start, stop))
        if chain.start > start:
            yield Fault("log in chain", _at(partition, start), f"the first segment starts at {chain.start}")
        elif before != chain.records:
            detail = f"the log holds {before} records before the chain's end, the chain {chain.records}"
            yield Fault("log in chain", _at(partition, stop), detail)
    counts[f"{topic}: waiting for the archive"] = waiting


def _count(browser: LogBrowser, topic: str, until: dict[Partition, int] | None = None) -> int:
    total = 0
    for partition, (start, end) in browser.bounds(topic).items():
        total += sum(1 for _ in browser.read(partition, start, end if until is None else until.get(partition, start)))
    return total


def _outcomes(browser: LogBrowser, counts: dict[str, int]) -> Iterator[Fault]:
    """Compare inputs with outcomes, up to where each step's group stands."""
    unchanged = _unchanged(browser)
    for name, reads, writes, extra in (
        ("normalise", flow.FETCHED, flow.NORMALISED, unchanged),
        ("enrich", flow.NORMALISED, flow.ENRICHED, 0),
    ):
        inputs = _count(browser, reads, browser.committed(flow.group(name), reads))
        emitted = _count(browser, writes)
        refused = _refused(browser, reads, name)
        counts |= {f"{name}: inputs": inputs, f"{name}: emitted": emitted, f"{name}: rejected": refused}
        if name == "normalise":
            counts[f"{name}: unchanged"] = extra
        outcomes = emitted + refused + extra
        if inputs != outcomes:
            yield Fault("one outcome each", name, f"{inputs} inputs have {outcomes} outcomes")


def _refused(browser: LogBrowser, topic: str, stage: str) -> int:
    """Return how many inputs of a stage were rejected; what fetch rejected never was an input."""
    total = 0
    for partition, (start, end) in browser.bounds(flow.rejected(topic)).items():
        for record in browser.read(partition, start, end):
            event = codec.decode(record)
            total += isinstance(event, Flaw) or getattr(event.data, "stage", None) == stage
    return total


def _unchanged(browser: LogBrowser) -> int:
    states: dict[str, int] = {}
    for partition, (start, end) in browser.bounds(flow.ARTICLE_STATE).items():
        for record in browser.read(partition, start, end):
            event = codec.decode(record)
            if not isinstance(event, Flaw) and isinstance(event.data, ArticleState):
                states[event.data.article_id] = event.data.unchanged
    return sum(states.values())


def _tables(warehouse: Warehouse, newest: dict[str, tuple[int, bool]], counts: dict[str, int]) -> Iterator[Fault]:
    _, rows = warehouse.query("SELECT article_id, revision, withdrawn FROM articles")
    counts["tables: articles"] = len(rows)
    held: Counter[str] = Counter(str(row[0]) for row in rows)
    for name, times in held.items():
        if times > 1:
            yield Fault("tables", "articles", f"article {name} stands {times} times")
    for row in rows:
        if newest.get(str(row[0])) != (row[1], row[2]):
            yield Fault(
                "tables",
                "articles",
                f"article {row[0]} is revision {row[1]}, the segments say {newest.get(str(row[0]))}",
            )
    loaded = set(held)
    for name in sorted(set(newest) - loaded)[:100]:
        yield Fault("tables", "articles", f"article {name} is in the segments only; run `depeche load`")
