"""The archive again, by today's code and model, into a version of its own. Nothing live is touched.

Promise: along each partition the version's manifests form one chain over the *fetched* records, each of which has
exactly one outcome in it, whatever is killed and however many replay the same version at once. The steps of one
segment are those of the archive:

1. read on where the chain ends: the archive's segments first, then the log from where the archive ends,
2. take each record through the pure functions of normalise and enrich,
3. store what came out under names nobody else uses,
4. create the manifest, named by its start offset, only if it is absent: this is the commit.

The position lives with the data, and so does what normalise remembers: `outcomes` in the segments. Who is killed,
or loses the race at 4, reads both back from the chain. Memory holds one segment in the making, one of the archive,
and, as normalise does, a line for each article.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

import structlog

from pipeline import progress
from pipeline.archive import chain_end, close_segment
from pipeline.errors import DepecheError, RetryLater
from pipeline.events import ArticleState
from pipeline.flow import ENRICHED, FETCHED
from pipeline.history import first_archived, records
from pipeline.manifest import checked, manifest_prefix, read_manifest
from pipeline.ports import Clock, LogBrowser, ObjectStore, Partition, Record
from pipeline.replay.reader import Reader, Steps
from pipeline.store.outcomes import InputOutcome, replayed, states_in, table_of
from pipeline.worker import pause_before

log = structlog.get_logger(__name__)

_ATTEMPTS = 8
_ROUNDS = 20
_GLANCE_S = 1.0
"""Seconds after which who waits for the log looks whether he is to stop."""


class _LostRace(Exception):
    """Another replay closed this segment."""


@dataclass
class _Chain:
    """Where a partition of the version stands, and what is not stored yet."""

    start: int
    states: dict[str, ArticleState]
    seen: int = -1
    since: float = 0.0
    size: int = 0
    outcomes: list[InputOutcome] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


def version_ends(view: ObjectStore, browser: LogBrowser, store: ObjectStore) -> dict[Partition, int]:
    """Return up to which offset of each partition of the fetched articles a version has read."""
    return {
        partition: chain_end(view, partition._replace(topic=ENRICHED), _first(store, partition, first))
        for partition, (first, _) in browser.bounds(FETCHED).items()
    }


def _first(store: ObjectStore, partition: Partition, in_log: int) -> int:
    earlier = first_archived(store, partition)
    return in_log if earlier is None else min(in_log, earlier)


class Replay:
    """The job: archive and log → the version's chain."""

    def __init__(
        self,
        steps: Steps,
        *,
        view: ObjectStore,
        store: ObjectStore,
        browser: LogBrowser,
        clock: Clock,
        segment_bytes: int,
        segment_seconds: float,
        only: Container[int] | None = None,
    ) -> None:
        """`only`: the numbers of the partitions to read, where several share the work; None for all."""
        self._reader = Reader(steps, clock)
        self._view = view
        self._store = store
        self._browser = browser
        self._clock = clock
        self._most_bytes = segment_bytes
        self._most_seconds = segment_seconds
        self._only = only
        self._chains: dict[Partition, _Chain] = {}
        self.counts = {"segments": 0, "emitted": 0, "unchanged": 0, "rejected": 0, "lost_races": 0}

    def run(
        self, *, stop: Callable[[], bool] = lambda: False, follow: bool = False, rounds: int = _ROUNDS
    ) -> Mapping[str, int]:
        """Read to the end of the log, then what came in meanwhile, until nothing did or it was done `rounds` times:
        a busy log never rests. With `follow` go on until `stop()`.

        Return the counts of what was stored. Raises `RetryLater` after 8 failed attempts in a row.
        """
        failures = 0
        while not stop():
            try:
                news = sum(self._read(partition, end, stop) for partition, end in self._ends())
                failures = 0
            except RetryLater as error:
                self._chains.clear()
                failures += 1
                if failures >= _ATTEMPTS:
                    raise
                log.warning("retrying", attempt=failures, reason=str(error))
                self._clock.sleep(pause_before(failures))
                continue
            rounds -= 1
            if not follow and (news == 0 or rounds <= 0):
                break
            if news == 0:
                self._rest(stop)
        return dict(self.counts)

    def _ends(self) -> list[tuple[Partition, int]]:
        ends = sorted(progress.ends(self._browser, FETCHED).items())
        return [(p, end) for p, end in ends if self._only is None or p.number in self._only]

    def _rest(self, stop: Callable[[], bool]) -> None:
        """Wait as long as a segment may stay open, so that a quiet log does not become many small ones."""
        until = self._clock.monotonic() + self._most_seconds
        while self._clock.monotonic() < until and not stop():
            self._clock.sleep(min(_GLANCE_S, self._most_seconds))

    def _read(self, partition: Partition, end: int, stop: Callable[[], bool]) -> int:
        """Take the partition's records before `end` into the chain; return how many they were."""
        chain = self._chains.get(partition) or self._resumed(partition)
        self._chains[partition] = chain
        count = 0
        if chain.seen >= end:
            return count
        try:
            for record in records(self._store, self._browser, partition, chain.start, end):
                self._take(chain, record)
                count += 1
                if stop():
                    self._flush(partition, chain, end)
                    return count
                if chain.size >= self._most_bytes or self._clock.monotonic() - chain.since >= self._most_seconds:
                    self._flush(partition, chain, end)
            self._flush(partition, chain, end)
            chain.seen = end
        except _LostRace:
            del self._chains[partition]
            count += 1  # there is more to look at: the winner's end
        return count

    # Step 1

    def _resumed(self, partition: Partition) -> _Chain:
        """Read position and states back from the version's chain."""
        enriched = partition._replace(topic=ENRICHED)
        states: dict[str, ArticleState] = {}
        end = None
        for info in self._view.list(manifest_prefix(*enriched)):
            manifest = read_manifest(self._view.get(info.key))
            if end is not None and manifest.start != end:
                raise DepecheError(f"{info.key}: the version's chain has a gap at {end}; replay into another version")
            table = table_of(checked(manifest.tables["outcomes"], self._view))
            states.update((state.article_id, state) for state in states_in(table))
            end = manifest.end
        if end is None:
            end = _first(self._store, partition, self._browser.bounds(FETCHED)[partition][0])
        log.info("replaying", partition=partition.number, at=end, articles=len(states))
        return _Chain(end, states)

    # Step 2

    def _take(self, chain: _Chain, record: Record) -> None:
        if not chain.outcomes:
            chain.since = self._clock.monotonic()
        outcome, made = self._reader.outcome(record, chain.states)
        chain.outcomes.append(outcome)
        chain.size += len(record.key) + 200
        if outcome.state is not None:
            chain.states[outcome.state.article_id] = outcome.state
        if made is not None:
            chain.records.append(made)
            chain.size += len(made.value)

    # Steps 3 and 4

    def _flush(self, partition: Partition, chain: _Chain, until: int) -> None:
        """Close the segment, if there is anything in it. Raises `_LostRace` where another replay closed it."""
        if not chain.outcomes:
            return
        end = chain.outcomes[-1].offset + 1
        segment = replayed(
            chain.outcomes,
            chain.records,
            partition=partition._replace(topic=ENRICHED),
            start=chain.start,
            end=end,
            now=self._clock.now(),
            unique=uuid4().hex[:12],
        )
        if close_segment(self._view, segment) is not None:
            self.counts["lost_races"] += 1
            log.warning("another replay of this version closed this segment", manifest=segment.manifest_key)
            raise _LostRace
        self.counts["segments"] += 1
        for outcome in chain.outcomes:
            self.counts[outcome.outcome] += 1
        log.info("replayed", partition=partition.number, records=len(chain.outcomes), at=end, until=until)
        chain.start, chain.size, chain.outcomes, chain.records = end, 0, [], []
