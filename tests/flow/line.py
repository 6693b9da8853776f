"""A whole line in memory with sources and tables: nights can be run, and what came of them verified."""

from pipeline import flow
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.memory import MemoryWriter
from pipeline.fetch import Source, pull
from pipeline.load import LoadReport, load
from pipeline.operate.verify import Range, Verdict, verify
from pipeline.pull import pull_source, remembered
from tests.fixtures.seeds import SEEDS
from tests.flow.world import World, drain


class Line(World):
    """A world with sources and a warehouse."""

    def __init__(self) -> None:
        super().__init__()
        self.warehouse = DuckDbWarehouse(None)

    def night(self) -> LoadReport:
        """Pull, run every step until the log is quiet, and load."""
        states = remembered(self.browser)
        for kind, path in (("text", "articles/*.txt"), ("jsonl", "archives/*.jsonl")):
            source = Source(name=kind, kind=kind, path=path)
            report = pull_source(
                source,
                states.get(kind),
                pull=lambda s, state: pull(
                    s,
                    state,
                    fetcher=None,
                    files=DirectoryStore(SEEDS),
                    now=self.clock.now(),  # type: ignore[arg-type]
                ),
                writer=MemoryWriter(self.broker, f"fetch.{kind}"),
                clock=self.clock,
            )
            assert report.ok, report
        return self.steps()

    def steps(self) -> LoadReport:
        """Let every step work until the log is quiet, and load."""
        self.work()
        return load(self.store, self.warehouse, topic=flow.ENRICHED)

    def work(self) -> None:
        """Let every step work until the log is quiet."""
        for name in ("normalise", "enrich"):
            worker = self.transform(name)
            drain(worker, polls=200)
            worker.finish()
        archive = self.archive()
        drain(archive, polls=200)
        archive.finish()

    def verify(self, wanted: Range = Range()) -> Verdict:  # noqa: B008 - frozen
        return verify(self.store, self.browser, self.warehouse, wanted=wanted)

    def ids(self) -> set[str]:
        return {str(row[0]) for row in self.warehouse.query("SELECT article_id FROM articles")[1]}
