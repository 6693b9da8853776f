"""The samples in seeds/: what fetch makes of each source, and of each bad input, over real files and HTTP."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.http import HttpFetcher
from pipeline.adapters.memory import MemoryClock
from pipeline.events import RawArticle, SourceState
from pipeline.fetch import KINDS, Haul, Item, Source, Spoiled, pull, read_catalogue
from pipeline.fetch.feed_xml import read_feed
from pipeline.operate.feed_server import FeedServer
from pipeline.ports import Response

SEEDS = Path(__file__).parents[3] / "seeds"
NOW = datetime(2026, 2, 3, 4, 0, tzinfo=UTC)


class CountingServer(FeedServer):
    """The demo's server, which counts the statuses it answered and is silent about them."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        statuses = self.statuses = Counter[int]()

        class Counting(self.RequestHandlerClass):  # type: ignore[name-defined]
            def log_request(self, code: int, size: object = None) -> None:
                statuses[int(code)] += 1

        self.RequestHandlerClass = Counting


@pytest.fixture(scope="module")
def server() -> Iterator[CountingServer]:
    started = CountingServer(SEEDS / "feed")
    thread = Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield started
    started.shutdown()
    thread.join()
    started.server_close()


@pytest.fixture(scope="module")
def fetcher() -> Iterator[HttpFetcher]:
    opened = HttpFetcher(MemoryClock(NOW), user_agent="depeche/0.1 (+https://depeche.example/contact)")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def declared(server: FeedServer) -> dict[str, Source]:
    text = (SEEDS / "sources.yaml").read_text(encoding="utf-8")
    variables = {"DEPECHE_FEED_URL": server.origin}
    return {s.name: s for s in read_catalogue(text, where="seeds/sources.yaml", variables=variables, kinds=KINDS)}


def hauls(source: Source, fetcher: HttpFetcher, state: SourceState | None = None, files: Path = SEEDS) -> list[Haul]:
    polite = fetcher.behaving(delay=source.delay_seconds, allow_private=source.allow_private)
    return list(pull(source, state, fetcher=polite, files=DirectoryStore(files), now=NOW))


def told(item: Item, origin: str) -> dict[str, Any]:
    """Return what the expectation files keep of an item."""
    if isinstance(item, Spoiled):
        return {"rejected": item.flaw.reason, "position": item.position.replace(origin, "")}
    assert isinstance(item, RawArticle)
    return {
        "article_id": item.article_id,
        "url": item.url,
        "position": item.position.replace(origin, ""),
        "title": item.title,
        "authors": list(item.authors),
        "published_at": item.published_at.isoformat() if item.published_at else None,
        "precision": item.published_precision,
        "media_type": item.media_type,
        "bytes": len(item.body),
    }


def test_every_declared_source_has_its_expectation(declared: dict[str, Source]) -> None:
    assert {path.stem for path in (SEEDS / "expected").glob("*.json")} == set(declared)
    assert {source.kind for source in declared.values()} == set(KINDS)


@pytest.mark.parametrize("name", sorted(path.stem for path in (SEEDS / "expected").glob("*.json")))
def test_a_source_gives_what_is_expected_and_nothing_the_second_time(
    name: str, declared: dict[str, Source], fetcher: HttpFetcher, server: FeedServer
) -> None:
    first = hauls(declared[name], fetcher)
    expected = json.loads((SEEDS / "expected" / f"{name}.json").read_text(encoding="utf-8"))
    assert [told(item, server.origin) for haul in first for item in haul.items] == expected
    again = hauls(declared[name], fetcher, first[-1].state)
    assert [(haul.items, haul.missed) for haul in again] == [((), 0)]
    assert again[-1].state.cursor == first[-1].state.cursor


def test_the_demo_shows_forty_articles_or_more(declared: dict[str, Source], fetcher: HttpFetcher) -> None:
    found = [item for source in declared.values() for haul in hauls(source, fetcher) for item in haul.items]
    assert len({item.article_id for item in found if isinstance(item, RawArticle)}) >= 40


def test_the_second_pull_of_the_feed_is_asked_and_answered_conditionally(
    declared: dict[str, Source], fetcher: HttpFetcher, server: CountingServer
) -> None:
    state = hauls(declared["fil-depeche"], fetcher)[-1].state
    server.statuses.clear()
    hauls(declared["fil-depeche"], fetcher, state)
    assert set(server.statuses) == {304}
    assert server.statuses[304] >= 16


def test_ids_do_not_depend_on_the_port_of_the_demo(declared: dict[str, Source], fetcher: HttpFetcher) -> None:
    (haul,) = hauls(declared["fil-depeche"], fetcher)
    for item in haul.items:
        if isinstance(item, RawArticle):
            assert item.url is not None
            assert item.url.startswith("https://fil.depeche.example/")


def test_the_atom_sample_names_pages_of_the_rss_sample(server: FeedServer) -> None:
    def links(name: str) -> set[str]:
        body = (SEEDS / "feed" / name).read_bytes()
        return {entry.link for entry in read_feed(Response(200, f"{server.origin}/{name}", {}, body)).entries}

    assert links("feed.atom")
    assert links("feed.atom") < links("feed.xml")


def test_pages_in_other_charsets_come_with_their_bytes_and_the_charset_they_were_sent_as(
    declared: dict[str, Source], fetcher: HttpFetcher
) -> None:
    bodies = {
        item.position.rpartition("/")[2]: item
        for haul in hauls(declared["fil-depeche"], fetcher)
        for item in haul.items
        if isinstance(item, RawArticle)
    }
    for name in ("kyiv-recoit-ses-premiers-obusiers-suedois.html", "oslo-double-son-aide-au-malawi.html"):
        assert bodies[name].charset == "utf-8"
        assert bodies[name].body == (SEEDS / "feed" / "articles" / name).read_bytes()
        with pytest.raises(UnicodeDecodeError):
            bodies[name].body.decode()


BAD_TEXTS = {
    "empty.txt": "empty",
    "blank.txt": "empty",
    "bidi-emoji.txt": None,
    "english.txt": None,
    "invalid-utf8.txt": None,
    "latin1.txt": None,
    "nul.txt": None,
}


@pytest.mark.parametrize(("name", "reason"), BAD_TEXTS.items())
def test_a_bad_text_is_turned_down_or_handed_on_with_its_bytes_untouched(
    name: str, reason: str | None, fetcher: HttpFetcher
) -> None:
    source = Source(name="mauvais", kind="text", path=f"bad/{name}")
    (haul,) = hauls(source, fetcher)
    (item,) = haul.items
    raw = (SEEDS / "bad" / name).read_bytes()
    if reason is None:
        assert isinstance(item, RawArticle)
        assert item.body == raw
    else:
        assert isinstance(item, Spoiled)
        assert (item.flaw.reason, item.original, item.position) == (reason, raw, f"bad/{name}")


def test_bad_lines_are_turned_down_and_a_date_to_come_is_handed_on(fetcher: HttpFetcher) -> None:
    (haul,) = hauls(Source(name="mauvais", kind="jsonl", path="bad/*.jsonl"), fetcher)
    (future,) = (item for item in haul.items if isinstance(item, RawArticle))
    assert future.published_at == datetime(2999, 1, 1, tzinfo=UTC)
    reasons = [item.flaw.reason for item in haul.items if isinstance(item, Spoiled)]
    assert reasons == ["malformed_json"] * 3


@pytest.mark.parametrize(("name", "reason"), [("entities.xml", "hostile_xml"), ("malformed.xml", "malformed_xml")])
def test_bad_xml_is_turned_down_with_its_bytes(name: str, reason: str) -> None:
    raw = (SEEDS / "bad" / name).read_bytes()
    page = read_feed(Response(200, "https://presse.example/feed.xml", {}, raw))
    assert [(bad.flaw.reason, bad.original) for bad in page.spoiled] == [(reason, raw)]
    assert page.entries == ()
