"""What a feed's bytes say: entries, charsets, and the XML that is not to be trusted."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fetch.feed_xml import FeedPage, read_feed
from pipeline.ports import Response

URL = "https://presse.example/fil/feed.xml"
ENTRY = "<item><title>L’été à l’Élysée</title><link>/a.html</link></item>"


def read(body: bytes | str, content_type: str = "text/xml", **more: object) -> FeedPage:
    raw = body.encode() if isinstance(body, str) else body
    return read_feed(Response(200, URL, {"content-type": content_type}, raw, **more))  # type: ignore[arg-type]


def rss(items: str, declaration: str = '<?xml version="1.0"?>') -> str:
    return f'{declaration}<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'


def test_rss_entries_have_absolute_links_authors_and_instants() -> None:
    page = read(
        rss(
            "<item><title>A &amp; B</title><link> ../a.html </link><guid>urn:1</guid>"
            "<author>redaction@presse.fr (Jeanne Dupré)</author>"
            "<pubDate>Tue, 03 Feb 2026 10:00:00 +0100</pubDate></item>"
        )
    )
    (entry,) = page.entries
    assert (entry.key, entry.link, entry.title) == ("urn:1", "https://presse.example/a.html", "A & B")
    assert entry.authors == ("Jeanne Dupré",)
    assert entry.published_at == datetime(2026, 2, 3, 9, tzinfo=UTC)
    assert page.whole


def test_atom_entries_are_read_too_with_their_next_page() -> None:
    page = read(
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><link rel="next" href="?page=2"/>'
        '<entry><id>urn:1</id><title>Un</title><link href="/a"/><updated>2026-02-03T10:00:00Z</updated>'
        "<author><name>A. Nom</name></author></entry></feed>"
    )
    assert page.following == "https://presse.example/fil/feed.xml?page=2"
    (entry,) = page.entries
    assert (entry.link, entry.authors) == ("https://presse.example/a", ("A. Nom",))
    assert entry.published_at == datetime(2026, 2, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize("date", ["", "hier soir", "Tue, 99 Feb 2026 99:99:99 GMT"])
def test_an_entry_without_a_date_that_can_be_read_has_none(date: str) -> None:
    (entry,) = read(rss(f"<item><title>t</title><link>/a</link><pubDate>{date}</pubDate></item>")).entries
    assert entry.published_at is None


@pytest.mark.parametrize(
    ("charset", "declaration", "content_type"),
    [
        ("utf-8", '<?xml version="1.0"?>', "text/xml"),
        ("utf-8", '<?xml version="1.0" encoding="UTF-8"?>', "text/xml"),
        ("utf-8-sig", '<?xml version="1.0" encoding="UTF-8"?>', "text/xml"),
        ("utf-8", '<?xml version="1.0" encoding="ISO-8859-1"?>', "text/xml; charset=iso-8859-1"),
        ("cp1252", '<?xml version="1.0" encoding="UTF-8"?>', "text/xml; charset=utf-8"),
        ("cp1252", '<?xml version="1.0" encoding="iso-8859-1"?>', "text/xml"),
        ("cp1252", '<?xml version="1.0" encoding="windows-1252"?>', "text/xml; charset=utf-8"),
        ("cp1252", '<?xml version="1.0"?>', "application/rss+xml"),
        ("cp1252", '<?xml version="1.0"?>', "application/rss+xml; charset=ISO-8859-1"),
        ("mac-roman", '<?xml version="1.0" encoding="macintosh"?>', "text/xml; charset=utf-8"),
        ("mac-roman", '<?xml version="1.0"?>', 'text/xml; charset="macintosh"'),
        ("utf-16", '<?xml version="1.0" encoding="utf-16"?>', "text/xml"),
        ("utf-8", '<?xml version="1.0" encoding="no-such-charset"?>', "text/xml"),
    ],
)
def test_accents_survive_whatever_header_and_declaration_say(charset: str, declaration: str, content_type: str) -> None:
    page = read(rss(ENTRY, declaration).encode(charset), content_type)
    assert [entry.title for entry in page.entries] == ["L’été à l’Élysée"]
    assert page.spoiled == ()


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + rss("<item><title>&b;</title></item>", ""),
        '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + rss("<item><title>&x;</title></item>", ""),
        '<!DOCTYPE rss SYSTEM "http://ailleurs.example/rss.dtd">' + rss(ENTRY, ""),
        '&<!DOCTYPE l [<!ENTITY a "aaaa">]>' + rss("<item><title>&a;</title></item>", ""),
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_xml_with_a_document_type_is_hostile_and_not_parsed(xml: str, charset: str) -> None:
    raw = xml.encode(charset)
    page = read(raw)
    (bad,) = page.spoiled
    assert (bad.flaw.reason, bad.original, page.entries, page.whole) == ("hostile_xml", raw, (), False)


def test_a_web_page_in_the_place_of_a_feed_is_told_apart() -> None:
    for body in ("<!DOCTYPE html><html><body><p>Panne</p></body></html>", "<!doctype html><p>Panne", "<html/>"):
        page = read(body, "text/html")
        assert [bad.flaw.reason for bad in page.spoiled] == ["malformed_xml"]
        assert page.entries == ()


def test_a_feed_about_document_types_is_not_hostile() -> None:
    inside = "<item><title>t</title><link>/a</link><description><![CDATA[<!DOCTYPE html><p>a]]></description></item>"
    assert read(rss(inside)).spoiled == ()


def test_a_feed_cut_off_keeps_its_whole_entries_only() -> None:
    whole = rss(ENTRY.replace("/a.html", "/1.html") + ENTRY.replace("/a.html", "/2.html"))
    page = read(whole[: whole.index("/2.html") + 2])
    assert [entry.link for entry in page.entries] == ["https://presse.example/1.html"]
    assert [bad.flaw.reason for bad in page.spoiled] == ["malformed_xml"]
    assert not page.whole


def test_a_feed_with_an_unknown_entity_keeps_all_its_entries() -> None:
    page = read(rss(ENTRY + "<item><title>a&nbsp;b</title><link>/b</link></item>"))
    assert len(page.entries) == 2
    assert [bad.flaw.reason for bad in page.spoiled] == ["malformed_xml"]


def test_an_entry_without_a_link_is_rejected_with_what_it_said() -> None:
    page = read(rss("<item><title>Sans lien</title><description>Rien</description></item>" + ENTRY))
    (bad,) = page.spoiled
    assert (bad.flaw.reason, bad.position) == ("missing_field", URL + "#1")
    assert b"Sans lien" in bad.original
    assert len(page.entries) == 1


def test_entries_that_share_an_id_are_told_apart_by_their_links() -> None:
    twice = "".join(f"<item><title>t</title><link>/{n}</link><guid>même</guid></item>" for n in (1, 2))
    assert [entry.key for entry in read(rss(twice)).entries] == ["même", "/2"]


@pytest.mark.parametrize(("body", "reason"), [(b"", "empty"), (b" \n", "empty"), (b"a" * 100, "malformed_xml")])
def test_no_feed_at_all_is_rejected(body: bytes, reason: str) -> None:
    assert [bad.flaw.reason for bad in read(body).spoiled] == [reason]


def test_a_feed_past_the_limit_is_rejected_with_its_beginning() -> None:
    (bad,) = read(b"<rss>" + b"a" * 10 * 2**20, truncated=True).spoiled
    assert (bad.flaw.reason, len(bad.original)) == ("oversize", 2**20)
    assert bad.size > 10 * 2**20


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_any_bytes_give_entries_or_a_reason(noise: bytes, more: bytes) -> None:
    for body in (noise, rss(ENTRY).encode()[:-20] + noise, noise + rss(ENTRY).encode() + more):
        page = read(body)
        assert page.entries or page.spoiled


@given(st.text(max_size=200))
def test_any_text_as_a_title_makes_no_trouble(title: str) -> None:
    safe = title.encode("utf-8", "replace").decode().replace("]]>", "")
    page = read(rss(f"<item><title><![CDATA[{safe}]]></title><link>/a</link></item>"))
    assert len(page.entries) + len(page.spoiled) >= 1
