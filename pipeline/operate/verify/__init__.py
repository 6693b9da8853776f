"""Nothing lost, nothing twice: the invariants of the line, checked over the store, the log and the tables.

1. Manifests are what their names say, and along each partition the segments form a chain: each starts where the
   one before it ends, the first where the log does.
2. Each segment's files are there, with the size, the hash and the rows of its manifest.
3. The offsets of its records lie inside it, in order, none twice; each event id stands once in all of a topic.
4. What the log holds before the end of the chain is in the chain, unchanged; and the other way round.
5. Every input has one outcome: fetched = normalised + unchanged + rejected, normalised = enriched + rejected.
6. The tables hold what the loaded segments say: the newest revision of each article, once, with all its rows.

A fault names topic, partition and offset. Memory is bounded whatever the number of records: a few segments are held
at a time, and what must be compared over all of them goes through temporary files. Nothing that is still on its way
is a fault: it is counted as waiting. Of a manifest, only `created_at` and `code_version` are witnessed by nothing else.
"""

from collections.abc import Callable, Mapping, Sequence

from pipeline import flow
from pipeline.operate.verify.chain import Chain, Range, strangers
from pipeline.operate.verify.garbage import Garbage
from pipeline.operate.verify.logside import Cursor
from pipeline.operate.verify.outcomes import Outcomes
from pipeline.operate.verify.segments import Reading
from pipeline.operate.verify.tables import Tables
from pipeline.operate.verify.verdict import Fault, Findings, Verdict
from pipeline.ports import LogBrowser, ObjectStore, Partition, Record, Warehouse

__all__ = ["Fault", "Range", "Verdict", "verify"]

Progress = Callable[[str], None]
_Feed = Callable[[Partition, Sequence[Record]], None]

_ORDER = (
    flow.rejected(flow.ENRICHED),
    flow.ENRICHED,
    flow.rejected(flow.NORMALISED),
    flow.ARTICLE_STATE,
    flow.NORMALISED,
    flow.rejected(flow.FETCHED),
    flow.FETCHED,
)
"""Outcomes before their inputs: what is seen of a line at work then never lacks its cause."""


def verify(
    store: ObjectStore,
    browser: LogBrowser | None = None,
    warehouse: Warehouse | None = None,
    *,
    wanted: Range = Range(),  # noqa: B008 - frozen
    progress: Progress = lambda _: None,
) -> Verdict:
    """Check every invariant that can be checked with what is given; bad data never ends it early.

    Raises `RetryLater` when store, log or warehouse is out of reach, `Misconfigured` when the temporary folder is full.
    """
    return _Check(store, browser, warehouse, wanted, progress).run()


class _Check:
    def __init__(
        self,
        store: ObjectStore,
        browser: LogBrowser | None,
        warehouse: Warehouse | None,
        wanted: Range,
        progress: Progress,
    ) -> None:
        self._store = store
        self._browser = browser
        self._range = wanted
        self._progress = progress
        self._findings = Findings()
        # What must be there is noted before anything is read: work that goes on meanwhile can only add to it.
        self._told = self._archived() if browser is not None else {}
        self._outcomes = self._steps() if browser is not None and wanted.everything else {}
        self._feeds = self._listeners()
        whole_topic = wanted.whole_partitions and wanted.partition is None and wanted.topic in (None, flow.ENRICHED)
        self._tables = Tables(flow.ENRICHED, warehouse, self._findings) if warehouse and whole_topic else None
        self._garbage = Garbage(self._findings) if wanted.everything else None
        self._say_what_is_left_out(warehouse is not None)

    def _archived(self) -> Mapping[Partition, int]:
        assert self._browser is not None
        group = flow.group("archive")
        return {p: end for topic in flow.ARCHIVED for p, end in self._browser.committed(group, topic).items()}

    def _steps(self) -> dict[str, Outcomes]:
        assert self._browser is not None
        steps = [step for step in flow.STEPS if step.reads in flow.FACTS and step.writes in flow.FACTS]
        return {
            step.name: Outcomes(step, self._browser.committed(flow.group(step.name), step.reads), self._findings)
            for step in steps
        }

    def _listeners(self) -> dict[str, list[_Feed]]:
        feeds: dict[str, list[_Feed]] = {topic: [] for topic in _ORDER}
        for name, outcomes in self._outcomes.items():
            step = flow.step(name)
            feeds[step.reads].append(outcomes.inputs)
            feeds[step.writes].append(outcomes.emitted)
            feeds[flow.rejected(step.reads)].append(outcomes.rejections)
            if step.remembers is not None:
                feeds[step.remembers].append(outcomes.states)
        return feeds

    def _say_what_is_left_out(self, has_warehouse: bool) -> None:
        say = self._findings.unchecked
        if self._browser is None:
            say("the log was not read: whether the chain holds all of it, and one outcome for each input")
        elif not self._range.everything:
            say("outcomes: they can only be counted over the whole line")
        if not has_warehouse:
            say("tables: there are none")
        elif self._tables is None:
            say(f"tables: they can only be compared with all segments of {flow.ENRICHED}")
        if not self._range.everything:
            say("event ids that stand once in the range and once more outside it")

    def run(self) -> Verdict:
        """Go through all topics, then settle what concerns more than one segment."""
        for topic in _ORDER:
            if self._range.topic in (None, topic):
                self._topic(topic)
        if self._garbage is not None:
            strangers(self._store, flow.ARCHIVED, self._findings)
            self._progress("files without a manifest")
            self._garbage.settle(self._store)
        for name, outcomes in self._outcomes.items():
            self._progress(f"outcomes of {name}")
            if self._is_complete(flow.step(name)):
                outcomes.settle()
        if self._tables is not None:
            self._progress("tables")
            self._tables.settle(self._store)
        return self._findings.verdict()

    def _topic(self, topic: str) -> None:
        bounds = self._browser.bounds(topic) if self._browser is not None else {}
        if topic in flow.ARCHIVED:
            self._progress(topic)
            Chain(
                topic,
                store=self._store,
                wanted=self._range,
                findings=self._findings,
                cursor=lambda partition: self._cursor(partition, bounds),
                told=self._told,
                seen=self._seen,
            ).check(bounds)
        elif self._feeds[topic]:
            self._progress(topic)
            for partition in bounds:
                cursor = self._cursor(partition, bounds)
                if cursor is not None:
                    cursor.rest()

    def _cursor(self, partition: Partition, bounds: Mapping[Partition, tuple[int, int]]) -> Cursor | None:
        if self._browser is None:
            return None
        if partition not in bounds:
            self._findings.fault(
                "log in chain", f"{partition.topic}[{partition.number}]", "the log has no such partition"
            )
            return None
        return Cursor(self._browser, partition, bounds[partition], self._feed)

    def _feed(self, partition: Partition, records: Sequence[Record]) -> None:
        for feed in self._feeds[partition.topic]:
            feed(partition, records)

    def _seen(self, reading: Reading) -> None:
        if self._garbage is not None:
            self._garbage.named(reading.manifest)
        if self._tables is not None and reading.manifest.topic == flow.ENRICHED:
            self._tables.expect(reading)

    def _is_complete(self, step: flow.Step) -> bool:
        """Tell whether the log still has all inputs and outcomes of a step from the first one."""
        assert self._browser is not None
        for topic in (step.reads, step.writes, flow.rejected(step.reads)):
            for partition, (first, _) in self._browser.bounds(topic).items():
                if first > 0:
                    where = f"{topic}[{partition.number}] begins at {first}"
                    self._findings.unchecked(f"outcomes of {step.name}: the log no longer has them all, {where}")
                    return False
        return True
