"""RSS and Atom as a source: the feed, its pages, and what changes in them from pull to pull."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import RetryLater
from pipeline.events import RawArticle
from pipeline.fetch import Source, Spoiled
from pipeline.identity import article_id
from tests.fixtures.fetching import ORIGIN, START, Pulled, articles, days, spoiled, withdrawn

HTML = "text/html; charset=utf-8"


def item(number: int, *, title: str = "", link: str = "", date: str = "Tue, 03 Feb 2026 10:00:00 +0100") -> str:
    title, link = title or f"Titre {number}", link or f"articles/{number}.html"
    return (
        f"<item><title>{title}</title><link>{link}</link><guid isPermaLink='false'>g{number}</guid>"
        f"<pubDate>{date}</pubDate></item>"
    )


def rss(*items: str, head: str = "") -> str:
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Fil</title>{head}{"".join(items)}</channel></rss>'


def page(number: int, text: str = "Le ministre est arrivé.") -> str:
    link = f'<link rel="canonical" href="https://www.presse.example/monde/{number}.html">'
    return f"<html><head>{link}</head><body><p>{text}</p></body></html>"


def feed(count: int, *, etags: bool = True, **options: int) -> Pulled:
    """Return a feed of `count` entries whose pages all stand."""
    pulled = Pulled(Source(name="fil", kind="feed", url=ORIGIN + "/feed.xml", **options))
    pulled.put("/feed.xml", rss(*map(item, range(count))), etag='"f1"', content_type="text/xml")
    for number in range(count):
        put_page(pulled, number, etag=f'"p{number}"' if etags else None)
    return pulled


def put_page(pulled: Pulled, number: int, text: str = "Le ministre est arrivé.", *, etag: str | None) -> None:
    headers = {"content_type": HTML} | ({"etag": etag} if etag else {})
    pulled.put(f"/articles/{number}.html", page(number, text), **headers)


def asked(pulled: Pulled) -> list[str]:
    return [url.removeprefix(ORIGIN) for url in pulled.fetcher.asked if not url.endswith("robots.txt")]


def test_an_entry_becomes_its_page_under_its_canonical_address() -> None:
    pulled = feed(1)
    (article,) = articles(pulled.pull())
    assert article.url == "https://www.presse.example/monde/0.html"
    assert article.article_id == article_id(url=article.url)
    assert (article.position, article.media_type, article.charset) == (
        ORIGIN + "/articles/0.html",
        "text/html",
        "utf-8",
    )
    assert (article.title, article.body.decode()) == ("Titre 0", page(0))
    assert (article.published_at, article.published_precision) == (datetime(2026, 2, 3, 9, tzinfo=UTC), "instant")


def test_nothing_new_gives_nothing_and_says_that_the_pull_ended_well() -> None:
    pulled = feed(3)
    pulled.pull()
    (haul,) = pulled.hauls()
    assert (haul.items, haul.missed) == ((), 0)
    assert haul.state.fetched_at == haul.state.succeeded_at == pulled.clock.now()
    assert asked(pulled) == ["/feed.xml", *(f"/articles/{n}.html" for n in range(3))]


def test_pages_that_cannot_be_asked_conditionally_are_not_asked_again() -> None:
    pulled = feed(3, etags=False)
    pulled.pull()
    assert pulled.pull() == []
    assert asked(pulled) == ["/feed.xml"]


def test_a_feed_without_validators_is_known_by_its_bytes() -> None:
    pulled = feed(2, etags=False)
    pulled.put("/feed.xml", rss(item(0), "<broken", item(1)))
    assert len(spoiled(pulled.pull())) == 1
    assert pulled.pull() == []


def test_only_new_and_changed_entries_are_fetched_again() -> None:
    pulled = feed(3, etags=False)
    pulled.pull()
    put_page(pulled, 9, etag=None)
    pulled.put("/feed.xml", rss(item(9), item(0), item(1, title="Corrigé"), item(2)), etag='"f2"')
    assert [a.title for a in articles(pulled.pull())] == ["Titre 9", "Corrigé"]
    assert asked(pulled) == ["/feed.xml", "/articles/9.html", "/articles/1.html"]


def test_a_page_revised_under_an_unchanged_feed_is_seen() -> None:
    pulled = feed(3)
    pulled.pull()
    put_page(pulled, 1, "Le ministre est reparti.", etag='"p1b"')
    (article,) = articles(pulled.pull())
    assert "reparti" in article.body.decode()
    assert (article.title, article.published_at) == ("Titre 1", datetime(2026, 2, 3, 9, tzinfo=UTC))
    assert pulled.pull() == []


def test_a_known_page_that_is_gone_is_withdrawn_once_under_the_id_it_had() -> None:
    pulled = feed(2)
    first, _ = articles(pulled.pull())
    pulled.put("/articles/0.html", status=410)
    (gone,) = withdrawn(pulled.pull())
    assert (gone.article_id, gone.revision, gone.source) == (first.article_id, 0, "fil")
    assert pulled.pull() == []


def test_a_page_that_comes_back_with_its_entry_changed_is_fetched_again() -> None:
    pulled = feed(1)
    pulled.pull()
    pulled.put("/articles/0.html", status=410)
    assert len(withdrawn(pulled.pull())) == 1
    put_page(pulled, 0, etag='"new"')
    pulled.put("/feed.xml", rss(item(0, title="De retour")), etag='"f2"')
    assert [a.title for a in articles(pulled.pull())] == ["De retour"]


def test_a_page_gone_before_we_saw_it_says_nothing() -> None:
    pulled = feed(1)
    pulled.put("/articles/0.html", status=410)
    assert pulled.pull() == []
    assert pulled.missed == 0


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_a_page_that_cannot_be_had_is_counted_and_tried_again_while_the_others_go_on(status: int) -> None:
    pulled = feed(3)
    pulled.put("/articles/1.html", status=status)
    assert [a.title for a in articles(pulled.pull())] == ["Titre 0", "Titre 2"]
    assert pulled.missed == 1
    put_page(pulled, 1, etag='"p1"')
    assert [a.title for a in articles(pulled.pull())] == ["Titre 1"]
    assert pulled.missed == 0
    assert pulled.pull() == []


def test_a_known_page_that_fails_for_a_time_is_not_sent_twice() -> None:
    pulled = feed(1)
    pulled.pull()
    pulled.put("/articles/0.html", status=500)
    assert pulled.pull() == []
    put_page(pulled, 0, etag='"p0"')
    assert pulled.pull() == []


def test_a_page_on_a_dead_host_does_not_stop_the_others() -> None:
    pulled = feed(2)
    pulled.put("/feed.xml", rss(item(0, link="http://mort.example/a"), item(1)))
    pulled.fetcher.down.add("mort.example")
    assert [a.title for a in articles(pulled.pull())] == ["Titre 1"]
    assert pulled.missed == 1


def test_what_leaves_the_feed_leaves_the_cursor() -> None:
    pulled = feed(3)
    for first in range(0, 300, 2):
        for number in range(first, first + 3):
            put_page(pulled, number, etag=f'"p{number}"')
        pulled.put("/feed.xml", rss(*map(item, range(first, first + 3))), etag=f'"f{first}"')
        pulled.pull()
        assert pulled.state is not None
        assert len(pulled.state.cursor) == 1 + 3


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_feed_that_cannot_be_had_fails_the_source(status: int) -> None:
    pulled = feed(1)
    pulled.put("/feed.xml", status=status)
    with pytest.raises(RetryLater, match=f"feed.xml: answered {status}"):
        pulled.pull()


def test_a_feed_forbidden_by_robots_txt_fails_the_source_with_that_reason() -> None:
    pulled = feed(1)
    pulled.put("/robots.txt", "User-agent: *\nDisallow: /feed.xml")
    with pytest.raises(RetryLater, match=r"robots\.txt"):
        pulled.pull()


def test_a_page_forbidden_by_robots_txt_is_rejected_once() -> None:
    pulled = feed(2)
    pulled.put("/robots.txt", "User-agent: *\nDisallow: /articles/1")
    items = pulled.pull()
    (bad,) = spoiled(items)
    assert (bad.flaw.reason, bad.position, bad.original) == ("forbidden", ORIGIN + "/articles/1.html", b"")
    assert len(items) == 2
    assert pulled.pull() == []


def test_a_redirect_loop_is_rejected_and_the_others_go_on() -> None:
    pulled = feed(2)
    pulled.put("/articles/0.html", status=302, location="/articles/0.html")
    bad, good = pulled.pull()
    assert isinstance(bad, Spoiled)
    assert "redirects" in bad.flaw.detail
    assert isinstance(good, RawArticle)


def test_a_feed_that_asks_to_wait_is_left_alone_by_the_next_pulls() -> None:
    pulled = feed(1)
    pulled.put("/feed.xml", status=429, retry_after="9000")
    with pytest.raises(RetryLater, match="9000"):
        pulled.pull()
    pulled.put("/feed.xml", rss(item(0)))
    with pytest.raises(RetryLater, match="asked not to be asked before"):
        pulled.pull()
    assert pulled.fetcher.asked == []
    pulled.clock.sleep(9000)
    assert len(articles(pulled.pull())) == 1
    assert pulled.state is not None
    assert not any("wait" in key for key in pulled.state.cursor)


def test_pages_not_had_because_the_site_asked_to_wait_come_with_a_later_pull() -> None:
    pulled = feed(4)
    pulled.put("/articles/2.html", status=503, retry_after="4000")
    assert [a.title for a in articles(pulled.pull())] == ["Titre 0", "Titre 1"]
    assert pulled.missed == 2
    put_page(pulled, 2, etag='"p2"')
    with pytest.raises(RetryLater):
        pulled.pull()
    assert [a.title for a in articles(pulled.pull())] == ["Titre 2", "Titre 3"]


def test_more_entries_than_wanted_at_once_come_pull_by_pull() -> None:
    pulled = feed(5, etags=False, max_items=2)
    titles = [[a.title for a in articles(pulled.pull())] for _ in range(4)]
    assert titles == [["Titre 0", "Titre 1"], ["Titre 2", "Titre 3"], ["Titre 4"], []]


def test_a_pull_cut_off_between_two_hauls_goes_on_behind_the_first() -> None:
    pulled = feed(120)
    hauls = pulled.hauls()
    assert [len(haul.items) for haul in hauls] == [50, 50, 20]
    pulled.state = hauls[0].state
    assert [a.title for a in articles(pulled.pull())] == [f"Titre {n}" for n in range(50, 120)]


def test_a_window_reads_its_days_again_and_leaves_the_cursor_alone() -> None:
    pulled = feed(0)
    dates = ["Mon, 02 Feb 2026 22:59:00 GMT", "Tue, 03 Feb 2026 00:00:00 GMT", "", "Wed, 04 Feb 2026 00:00:00 GMT"]
    for number in range(4):
        put_page(pulled, number, etag=f'"p{number}"')
    pulled.put("/feed.xml", rss(*(item(n, date=date) for n, date in enumerate(dates))), etag='"f2"')
    day = days(START.replace(hour=0), 1)
    assert [a.title for a in articles(pulled.pull(day))] == ["Titre 1", "Titre 2"]
    assert [a.title for a in articles(pulled.pull())] == [f"Titre {n}" for n in range(4)]
    before = pulled.state
    assert [a.title for a in articles(pulled.pull(day))] == ["Titre 1", "Titre 2"]
    assert before is not None
    assert pulled.state is not None
    assert pulled.state.cursor == before.cursor


def test_pages_of_a_feed_are_followed_so_far_as_allowed() -> None:
    pulled = feed(0, pages=3)
    for number in range(5):
        put_page(pulled, number, etag=None)
        head = f'<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="next" href="/feed{number + 1}.xml"/>'
        pulled.put(f"/feed{number or ''}.xml", rss(item(number), head=head))
    assert [a.title for a in articles(pulled.pull())] == ["Titre 0", "Titre 1", "Titre 2"]


def test_a_feed_that_pages_in_circles_ends() -> None:
    pulled = feed(1, pages=1000)
    head = '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="next" href="/feed.xml"/>'
    pulled.put("/feed.xml", rss(item(0), head=head))
    assert len(articles(pulled.pull())) == 1
    assert asked(pulled).count("/feed.xml") == 1


def test_a_feed_page_that_cannot_be_had_makes_us_forget_nothing() -> None:
    pulled = feed(2, etags=False)
    head = '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="next" href="/feed2.xml"/>'
    pulled.put("/feed.xml", rss(item(0), head=head))
    pulled.put("/feed2.xml", rss(item(1)))
    assert len(articles(pulled.pull())) == 2
    pulled.put("/feed2.xml", status=500)
    pulled.put("/feed.xml", rss(item(0, title="Corrigé"), head=head))
    assert [a.title for a in articles(pulled.pull())] == ["Corrigé"]
    pulled.put("/feed.xml", rss(item(0), item(1)))
    assert [a.title for a in articles(pulled.pull())] == ["Titre 0"]


def test_two_addresses_of_one_page_are_one_article() -> None:
    pulled = feed(1)
    pulled.put("/feed.xml", rss(item(0), item(1, link="/amp/0.html")))
    pulled.put("/amp/0.html", page(0), content_type=HTML)
    one, other = articles(pulled.pull())
    assert one.article_id == other.article_id
    assert one.position != other.position


@pytest.mark.parametrize(
    ("body", "media_type", "reason"),
    [
        (b"", HTML, "empty"),
        (b" \n\0", HTML, "empty"),
        (b"<p>" + b"a" * 11 * 2**20, HTML, "oversize"),
        (b"%PDF-1.7 ...", "application/pdf", "not_an_article"),
        (b"\x89PNG", "image/png", "not_an_article"),
    ],
)
def test_a_page_that_cannot_be_an_article_is_rejected_once(body: bytes, media_type: str, reason: str) -> None:
    pulled = feed(2)
    pulled.put("/articles/0.html", body, content_type=media_type, etag='"x"', content_length=str(len(body)))
    bad, good = pulled.pull()
    assert isinstance(bad, Spoiled)
    assert (bad.flaw.reason, bad.position, bad.original) == (reason, ORIGIN + "/articles/0.html", body[: 2**20])
    assert bad.size == len(body)
    assert isinstance(good, RawArticle)
    assert pulled.pull() == []


def test_a_page_without_a_content_type_is_taken_for_a_web_page() -> None:
    pulled = feed(1)
    pulled.put("/articles/0.html", page(0))
    (article,) = articles(pulled.pull())
    assert (article.media_type, article.charset) == ("text/html", None)


def test_the_time_of_a_pull_is_one_instant() -> None:
    pulled = feed(3)
    began = pulled.clock.now() + timedelta(hours=1)
    assert {a.fetched_at for a in articles(pulled.pull())} == {began}
