"""The invariants of the line, and of every version beside it.

A version is an archive of its own: its chain, files, counts and ids are checked like those of the line. What it
promises beyond that is checked here: every fetched record from its first to its end has one outcome in it. The
tables are compared with the version they hold, and with no other.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import pyarrow.parquet as pq
from pyarrow import BufferReader

from pipeline import versions
from pipeline.errors import DepecheError
from pipeline.flow import ENRICHED, FETCHED
from pipeline.history import records
from pipeline.manifest import checked, manifests
from pipeline.operate.verify import Fault, Verdict
from pipeline.ports import LogBrowser, ObjectStore, Partition, Warehouse

Check = Callable[[ObjectStore, LogBrowser | None, Warehouse | None], Verdict]
_MOST_FAULTS = 100
# What `verify` says of what it was not given; here it is looked at for each version by itself.
_NO_LOG, _NO_TABLES = "the log was not read", "tables: there are none"


def with_versions(
    check: Check, store: ObjectStore, browser: LogBrowser, tables: Warehouse | None, *, every: bool = True
) -> Verdict:
    """Return what `check` says of the live line and of each version; the tables are compared with whose they are."""
    held = (versions.held(tables.loaded()) if tables else None) or versions.LIVE
    live = check(store, browser, tables if held == versions.LIVE else None)
    counts, faults = dict(live.counts), list(live.faults)
    unchecked = [each for each in live.unchecked if held == versions.LIVE or not each.startswith(_NO_TABLES)]
    if held != versions.LIVE and not every:
        unchecked.append(f"tables: they hold version {held}, which is checked whole or not at all")
    for name in versions.cards(store) if every else ():
        view = versions.view(store, name)
        of_it = versions.TablesWithin(tables, versions.root_of(name)) if tables and held == name else None
        found = check(view, None, of_it)
        counts |= {f"version {name}, {what}": count for what, count in found.counts.items() if count}
        for fault in (*found.faults, *_outcomes(view, store, browser)):
            faults.append(Fault(fault.invariant, f"version {name}, {fault.where}", fault.detail))
        said = (each for each in found.unchecked if not each.startswith((_NO_LOG, _NO_TABLES)))
        unchecked += [f"version {name}, {each}" for each in said]
    return Verdict(counts, tuple(faults), tuple(unchecked))


def _outcomes(view: ObjectStore, store: ObjectStore, browser: LogBrowser) -> list[Fault]:
    """Return the fetched records that have no outcome or several in a version, and outcomes of no record."""
    faults: list[Fault] = []
    spans: dict[int, tuple[int, int]] = {}
    try:
        for _, manifest in manifests(view, ENRICHED):
            start, _ = spans.get(manifest.partition, (manifest.start, 0))
            spans[manifest.partition] = (start, manifest.end)
        for number, (start, end) in spans.items():
            partition = Partition(FETCHED, number)
            inputs = (record.offset for record in records(store, browser, partition, start, end))
            faults += islice(_differences(partition, inputs, _told(view, number, end)), _MOST_FAULTS + 1 - len(faults))
    except DepecheError as error:
        faults.append(Fault("one outcome each", FETCHED, str(error)))
    if len(faults) > _MOST_FAULTS:
        faults[_MOST_FAULTS:] = [Fault("one outcome each", FETCHED, f"and more: the first {_MOST_FAULTS} are named")]
    return faults


def _differences(partition: Partition, inputs: Iterator[int], told: Iterator[int]) -> Iterator[Fault]:
    """Go through both in order; a fault names the offset that is on one side only."""
    offset, outcome = next(inputs, None), next(told, None)
    while offset is not None or outcome is not None:
        if offset == outcome:
            offset, outcome = next(inputs, None), next(told, None)
        elif outcome is None or (offset is not None and offset < outcome):
            yield Fault("one outcome each", f"{partition.topic}[{partition.number}]@{offset}", "it has no outcome")
            offset = next(inputs, None)
        else:
            yield Fault("one outcome each", f"{partition.topic}[{partition.number}]@{outcome}", "an outcome too many")
            outcome = next(told, None)


def _told(view: ObjectStore, number: int, end: int) -> Iterator[int]:
    for _, manifest in manifests(view, ENRICHED):
        if manifest.partition == number and manifest.start < end:  # a replay at work may add to the chain
            if "outcomes" not in manifest.tables:
                raise DepecheError(
                    f"{FETCHED}[{number}]: the segment that begins at {manifest.start} tells no outcomes"
                )
            data = checked(manifest.tables["outcomes"], view)
            column = pq.read_table(BufferReader(data), columns=["log_offset"])["log_offset"]
            yield from (int(offset) for offset in column.to_pylist() if offset is not None)
