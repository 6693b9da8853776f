"""A line in memory whose archive can be replayed, and whose tables follow the pointer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline import flow, versions
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.memory import MemoryBrowser
from pipeline.adapters.memory_model import MemoryModel
from pipeline.archive import chain_end
from pipeline.enrich import enrich
from pipeline.events import Withdrawn
from pipeline.load import LoadReport
from pipeline.manifest import Manifest, checked, manifests
from pipeline.normalise import normalise
from pipeline.operate import projection
from pipeline.operate.catching_up import as_json, wait_until_archived
from pipeline.ports import Partition, Record
from pipeline.replay import Replay, version_ends
from pipeline.replay.reader import Steps
from pipeline.store.outcomes import table_of
from tests.flow.world import World, drain

OTHER_MODEL = MemoryModel({"Russie": "LOC", "Kiev": "LOC", "ministre": "PER"}, {"attaqué": "ASSAULT"})


class Line(World):
    """A world with versions and tables."""

    def __init__(self) -> None:
        super().__init__()
        self.warehouse = DuckDbWarehouse(None)
        self.other = OTHER_MODEL
        self.feeding = True

    def live(self, *steps: str) -> None:
        """Run the streaming workers until the log is quiet."""
        for name in steps or ("normalise", "enrich", "archive"):
            worker: Any = self.archive() if name == "archive" else self.transform(name)
            drain(worker, polls=300)
            worker.finish()

    def replay(
        self, version: str = "v2", *, model: MemoryModel | None = None, store: Any = None, **more: Any
    ) -> Replay:
        """Return a replay by another model."""
        reader = model or self.other
        wanted = versions.Card(version=version, code_version="test", model=reader.info, created_at=self.clock.now())
        versions.declare(self.store, wanted)
        given: dict[str, Any] = {"browser": self.browser, "segment_bytes": 5_000, "segment_seconds": 1e9, **more}
        whole = store or self.store
        return Replay(
            given.pop("steps", self.steps_by(reader)),
            view=versions.view(whole, version),
            store=whole,
            clock=self.clock,
            **given,
        )

    def steps_by(self, reader: MemoryModel) -> Steps:
        """Return what a replay does with an article."""
        return Steps(
            lambda batch, states, now: normalise(batch, states=states, now=now),
            lambda batch, states, now: enrich(batch, model=reader, now=now),
        )

    def load(self) -> LoadReport:
        planned = projection.plan(self.store, self.warehouse.loaded(), self.browser, self)
        return projection.bring_up_to_date(planned, self.store, self.warehouse)

    def switch(self, version: str) -> versions.Pointer:
        return projection.switch(self.store, version, self.browser, self, now=self.clock.now())

    # What `projection.Line` asks

    def feed(self, version: str) -> None:
        if self.feeding:
            self.replay(version).run(rounds=1)

    def ends(self, version: str) -> Mapping[Partition, int]:
        return version_ends(versions.view(self.store, version), self.browser, self.store)

    def live_has_passed(self, ends: Mapping[Partition, int]) -> None:
        archived = lambda p: chain_end(self.store, p, 0)  # noqa: E731
        wait_until_archived(as_json(ends), browser=self.browser, archived=archived, clock=self.clock, timeout=0)

    # What tests look at

    def withdraw(self, n: int) -> str:
        """Let the publisher take article `n` back; return its id."""
        name = self.raw(n).article_id
        gone = Withdrawn(
            article_id=name, revision=0, source="test", url=None, reason="410 Gone", fetched_at=self.clock.now()
        )
        self.publish([gone])
        return name

    def segments(self, version: str = "v2") -> list[Manifest]:
        return [m for _, m in manifests(versions.view(self.store, version), flow.ENRICHED)]

    def segments_of_fetched(self) -> list[Manifest]:
        return [m for _, m in manifests(self.store, flow.FETCHED)]

    def rows(self, table: str, version: str = "v2") -> list[dict[str, Any]]:
        """Return the rows of a table of a version, after checking its chains."""
        view = versions.view(self.store, version)
        ends: dict[int, int] = {}
        out: list[dict[str, Any]] = []
        for manifest in self.segments(version):
            assert manifest.start == ends.get(manifest.partition, manifest.start), "the chain has a gap or an overlap"
            ends[manifest.partition] = manifest.end
            read = table_of(checked(manifest.tables[table], view)).to_pylist()
            assert all(manifest.start <= row["log_offset"] < manifest.end for row in read)
            out += [row | {"partition": manifest.partition} for row in read]
        return out

    def outcomes(self, version: str = "v2") -> list[tuple[int, int]]:
        """Return (partition, offset) of every input that has an outcome in a version."""
        return sorted((row["partition"], row["log_offset"]) for row in self.rows("outcomes", version))

    def inputs(self) -> list[tuple[int, int]]:
        return sorted((r.partition, r.offset) for r in self.records(flow.FETCHED))

    def answer(self, sql: str) -> Sequence[tuple[object, ...]]:
        return self.warehouse.query(sql)[1]

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of every table, as text, in order."""
        names = ("articles", "mentions", "entities", "times", "events", "quotes")
        columns = "* EXCLUDE (processed_at, log_offset)"
        return {
            name: [
                tuple(map(str, row))
                for row in self.answer(f"SELECT {columns if name == 'articles' else '*'} FROM {name} ORDER BY ALL")
            ]
            for name in names
        }


class Shortened(MemoryBrowser):
    """A log that lost its records before some offset."""

    def __init__(self, line: Line, first: int) -> None:
        super().__init__(line.broker)
        self._first = first

    def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
        return {p: (min(self._first, end), end) for p, (_, end) in super().bounds(topic).items()}

    def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
        assert start >= self.bounds(partition.topic)[partition][0], "these records are gone"
        yield from super().read(partition, start, end)


DENIAL = "Le ministre a démenti mardi avoir accusé la Russie, selon son cabinet à Paris."


def beside_another_version() -> Line:
    """Return a line whose tables hold the live version, beside a version `v2` by another model that has read it all."""
    made = Line()
    made.publish([made.raw(n) for n in range(12)])
    made.publish([made.raw(1, DENIAL)])
    made.live()
    made.load()
    made.replay().run()
    return made
