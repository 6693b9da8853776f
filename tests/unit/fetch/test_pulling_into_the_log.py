"""Sources pulled into the log: a dead one fails alone, and what it asked for outlives the process."""

import pytest

from pipeline import codec
from pipeline.adapters.memory import MemoryBroker, MemoryBrowser, MemoryClock, MemoryWriter
from pipeline.adapters.memory_http import MemoryFetcher, Page
from pipeline.adapters.memory_store import MemoryStore
from pipeline.events import RawArticle, Rejected
from pipeline.fetch import Source, SourceReport, pull
from pipeline.flow import FETCHED, SOURCE_STATE, rejected
from pipeline.pull import pull_source, remembered

ALIVE = "https://vivant.example"
DEAD = "https://mort.example"
FEED = (
    '<rss version="2.0"><channel><title>t</title><item><title>A</title><link>/a</link></item>'
    "<item><title>B</title><link>/b</link></item><item><title>C</title><link>/c</link></item></channel></rss>"
)


class Night:
    """A broker, a web, and one pull of each source in a process of its own."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.broker = MemoryBroker({FETCHED: 3, rejected(FETCHED): 1, SOURCE_STATE: 1}, self.clock)
        self.web = {
            f"{ALIVE}/feed.xml": Page(FEED.encode()),
            f"{ALIVE}/a": Page(b"<p>Un</p>", headers={"content-type": "text/html"}),
            f"{ALIVE}/b": Page(b"", headers={"content-type": "text/html"}),
        }
        self.files = MemoryStore()

    def run(self, *sources: Source) -> list[SourceReport]:
        fetcher = MemoryFetcher(self.clock, self.web)
        fetcher.down.add("mort.example")
        states = remembered(MemoryBrowser(self.broker))
        return [
            pull_source(
                source,
                states.get(source.name),
                pull=lambda source, state: pull(source, state, fetcher=fetcher, files=self.files, now=self.clock.now()),
                writer=MemoryWriter(self.broker, source.name),
                clock=self.clock,
            )
            for source in sources
        ]

    def read(self, topic: str) -> list[object]:
        events = [codec.decode(r) for p in self.broker.partitions(topic) for r in self.broker.records(p)]
        return [event.data for event in events if isinstance(event, codec.Event)]


@pytest.fixture
def night() -> Night:
    return Night()


ALIVE_FEED = Source(name="vivant", kind="feed", url=f"{ALIVE}/feed.xml")
DEAD_FEED = Source(name="mort", kind="feed", url=f"{DEAD}/feed.xml")
EMPTY_FOLDER = Source(name="vide", kind="text", path="rien/*.txt")


def test_a_dead_source_fails_alone_and_says_why(night: Night) -> None:
    dead, folder, alive = night.run(DEAD_FEED, EMPTY_FOLDER, ALIVE_FEED)
    assert (dead.ok, dead.items) == (False, 0)
    assert "mort.example" in str(dead.error)
    assert (folder.ok, folder.error) == (False, "rien/*.txt names no file")
    assert (alive.ok, alive.items, alive.rejected, alive.missed, alive.withdrawn) == (True, 1, 1, 1, 0)
    states = remembered(MemoryBrowser(night.broker))
    assert states["mort"].error == dead.error
    assert states["mort"].succeeded_at is None
    assert states["vivant"].error is None
    assert states["vivant"].succeeded_at == night.clock.now()


def test_what_was_fetched_and_turned_down_stands_in_the_log_once(night: Night) -> None:
    night.run(ALIVE_FEED)
    night.clock.sleep(60)
    (again,) = night.run(ALIVE_FEED)
    assert (again.items, again.rejected, again.missed) == (0, 0, 1)
    (article,) = night.read(FETCHED)
    assert isinstance(article, RawArticle)
    assert (article.title, article.body) == ("A", b"<p>Un</p>")
    (bad,) = night.read(rejected(FETCHED))
    assert isinstance(bad, Rejected)
    assert (bad.reason, bad.stage, bad.source, bad.position) == ("empty", "fetch", "vivant", f"{ALIVE}/b")


def test_a_site_that_asked_to_wait_is_not_asked_by_another_process(night: Night) -> None:
    night.web[f"{ALIVE}/feed.xml"] = Page(status=429, headers={"retry-after": "7200"})
    (asked,) = night.run(ALIVE_FEED)
    assert "ask again in 7200 s" in str(asked.error)
    night.web[f"{ALIVE}/feed.xml"] = Page(FEED.encode())
    night.clock.sleep(7000)
    (early,) = night.run(ALIVE_FEED)
    assert (early.ok, early.items) == (False, 0)
    night.clock.sleep(300)
    (late,) = night.run(ALIVE_FEED)
    assert (late.ok, late.items) == (True, 1)
