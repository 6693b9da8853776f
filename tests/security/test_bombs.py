# ruff: noqa: E501 - a bomb is one line
"""Small inputs that want to become large, deep or slow: each ends as a counted value, in bounded memory and time.

Each is read in a process of its own, which may have only so much more memory than it has after its imports.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MIB = 2**20
MORE_MEMORY = 600 * MIB
"""The largest body is 10 MiB and is held some ten times over as text, tree and sentences."""
SECONDS = 30

_PRELUDE = f"""
import resource, sys
from datetime import UTC, datetime
from pipeline.adapters.memory_store import MemoryStore
from pipeline.events import RawArticle
from pipeline.fetch import Source, pull
from pipeline.fetch.feed_xml import read_feed
from pipeline.fetch.page import canonical_of
from pipeline.normalise import clean
from pipeline.identity import article_id
from pipeline.ports import Response
NOW = datetime(2026, 2, 3, tzinfo=UTC)

def outcome(body, media_type="text/html"):
    raw = RawArticle(article_id=article_id(source="s", own_id="1"), source="s", url=None, position="1", body=body,
                     media_type=media_type, fetched_at=NOW)
    return clean(raw, NOW)

def reasons_of_feed(xml):
    page = read_feed(Response(200, "https://exemple.fr/feed", {{}}, xml))
    print(*(s.flaw.reason for s in page.spoiled), len(page.entries))

def reasons_of_lines(body):
    files = MemoryStore()
    files.create("a.jsonl", body)
    source = Source(name="a", kind="jsonl", path="a.jsonl")
    for haul in pull(source, None, fetcher=None, files=files, now=NOW):
        for item in haul.items:
            print(item.flaw.reason if hasattr(item, "flaw") else "article")

outcome(("<p>" + "Le ministre a parlé mardi à Paris devant la presse réunie. " * 5 + "</p>").encode())
with open("/proc/self/statm") as told:
    now_bytes = int(told.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now_bytes + {MORE_MEMORY},) * 2)
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
"""

LAUGHS = """
entities = "".join(f'<!ENTITY l{n} "{("&l%d;" % (n - 1)) * 10}">' for n in range(1, 10))
reasons_of_feed(f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{entities}]><rss><channel><title>&l9;</title></channel></rss>'.encode())
"""
QUADRATIC = """
reasons_of_feed(('<!DOCTYPE x [<!ENTITY a "' + "a" * 100_000 + '">]><rss><channel>' + "&a;" * 90_000 + "</channel></rss>").encode())
"""
XXE = """
reasons_of_feed(b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><channel><title>&a;</title></channel></rss>')
"""
PARAMETER = """
reasons_of_feed(b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:1/a.dtd"> %a;]><rss><channel/></rss>')
"""
OUTSIDE_DTD = """
reasons_of_feed(b'<!DOCTYPE rss SYSTEM "http://127.0.0.1:1/a.dtd"><rss><channel/></rss>')
"""
UTF16 = """
reasons_of_feed('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><rss>&a;</rss>'.encode("utf-16"))
"""
DEEP_FEED = """
reasons_of_feed(b"<rss><channel>" + b"<a>" * 500_000 + b"</a>" * 500_000 + b"</channel></rss>")
"""
DEEP_UNCLOSED = """
reasons_of_feed(b"<rss><channel>" + b"<item>" * 700_000)
"""
DEEPEST = """
reasons_of_feed(b"<rss><channel>" + b"<a>" * 99_000 + b"</a>" * 99_000 + b"</channel></rss>")
"""
HUGE_ATTRIBUTE = """
reasons_of_feed(b'<rss version="2.0"><channel a="' + b"x" * 9_000_000 + b'"/></rss>')
"""
MANY_ATTRIBUTES = """
reasons_of_feed(b'<rss version="2.0"><channel ' + b" ".join(b'a%d="1"' % n for n in range(500_000)) + b"/></rss>")
"""
MANY_NAMESPACES = """
reasons_of_feed(b'<rss version="2.0" ' + b" ".join(b'xmlns:a%d="u%d"' % (n, n) for n in range(200_000)) + b"><channel/></rss>")
"""
FEEDS = {
    "billion laughs": (LAUGHS, "hostile_xml 0"),
    "quadratic blow-up": (QUADRATIC, "hostile_xml 0"),
    "an entity from a file": (XXE, "hostile_xml 0"),
    "an entity from the network": (PARAMETER, "hostile_xml 0"),
    "a document type from outside": (OUTSIDE_DTD, "hostile_xml 0"),
    "entities in UTF-16": (UTF16, "hostile_xml 0"),
    "half a million levels": (DEEP_FEED, "hostile_xml 0"),
    "levels that are never closed": (DEEP_UNCLOSED, "hostile_xml 0"),
    "an attribute of nine megabytes": (HUGE_ATTRIBUTE, None),
    "half a million attributes": (MANY_ATTRIBUTES, "hostile_xml 0"),
    "many namespaces": (MANY_NAMESPACES, "hostile_xml 0"),
    "as many levels as are read": (DEEPEST, None),
}
LINES = {
    "a million brackets": ("reasons_of_lines(b'[' * 1_000_000)", "malformed_json"),
    "a million objects": ("""reasons_of_lines(b'{"a":' * 1_000_000 + b'1' + b'}' * 1_000_000)""", "malformed_json"),
    "depth inside a field": (
        """reasons_of_lines(b'{"text":' + b'[' * 100_000 + b']' * 100_000 + b'}')""",
        "malformed_json",
    ),
    "a line of a hundred megabytes": ("""reasons_of_lines(b'{"text":"' + b'x' * 100_000_000 + b'"}')""", "oversize"),
    "a number of a million digits": (
        """reasons_of_lines(b'{"id":' + b'9' * 1_000_000 + b',"text":"a"}')""",
        "malformed_json",
    ),
    "a million keys": (
        """reasons_of_lines(b'{' + b','.join(b'"k%d":1' % n for n in range(500_000)) + b'}')""",
        "missing_field",
    ),
}
PAGES = {
    "a million nested tags": """b"<div>" * 1_000_000""",
    "a million nested tags with text": """b"<div>a " * 1_000_000""",
    "nested tables": """b"<table><tr><td>" * 300_000""",
    "nested inline tags": """b"<b><i>" * 500_000 + "Le ministre a parlé à Paris.".encode()""",
    "an attribute of nine megabytes": """b'<p title="' + b"x" * 9_000_000 + b'">a</p>'""",
    "half a million attributes": """b"<p " + b" ".join(b"a%d=1" % n for n in range(500_000)) + b">a</p>" """,
    "attributes behind a stray quote": """b"<p x'y " + b" ".join(b"a%d=1" % n for n in range(500_000)) + b" z'>a</p>" """,
    "as many attributes as are read": """b"<p " + b" ".join(b"a%d" % n for n in range(4_000)) + b">a</p>" """,
    "as many paragraphs as are read": """b"<p></p>" * 99_000""",
    "a million entities": """b"<p>" + b"&amp;" * 1_000_000 + b"</p>" """,
    "deep JSON about the page": """b'<script type="application/ld+json">' + b'[' * 500_000 + b"</script>" """,
    "a comment that never ends": """b"<!--" + b"-" * 5_000_000""",
    "unclosed brackets": """b"<" * 3_000_000""",
    "a million empty paragraphs": """b"<p></p>" * 1_000_000""",
    "one line of ten megabytes": """b"<p>" + b"mot " * 2_500_000 + b"</p>" """,
}


def told_by(script: str) -> str:
    """Run `script` under the limits and return what it printed; it must end well and soon."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE + script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-1500:]}"
    assert time.monotonic() - began < 3 * SECONDS  # others may be at work beside us
    return done.stdout.strip()


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_that_explodes_is_turned_down(name: str) -> None:
    script, expected = FEEDS[name]
    told = told_by(script)
    if expected is None:
        assert told.split()[-1] == "0"
    else:
        assert told == expected


@pytest.mark.parametrize("name", LINES)
def test_a_line_that_explodes_is_turned_down(name: str) -> None:
    script, reason = LINES[name]
    assert told_by(script) == reason


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_explodes_is_turned_down(name: str) -> None:
    told = told_by(f"body = {PAGES[name]}\ncanonical_of(body, 'https://exemple.fr/a')\nprint(outcome(body).reason)")
    assert told in {"no_text", "not_an_article", "not_french", "oversize"}


def test_the_limits_of_these_tests_would_be_felt() -> None:
    with pytest.raises(AssertionError, match="MemoryError"):
        told_by(f"bytearray({2 * MORE_MEMORY})")
