"""Which address a page goes by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fetch.page import canonical_of

ADDRESS = "https://m.presse.example/amp/a.html?utm_source=rss"
CANONICAL = '<link rel="canonical" href="https://presse.example/monde/a.html">'
OG_URL = '<meta property="og:url" content="https://presse.example/une/a.html">'


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (CANONICAL + OG_URL, "https://presse.example/monde/a.html"),
        (OG_URL + CANONICAL, "https://presse.example/monde/a.html"),
        (OG_URL, "https://presse.example/une/a.html"),
        ("", "https://m.presse.example/amp/a.html"),
        ('<link rel="canonical" href="/monde/a.html#haut">', "https://m.presse.example/monde/a.html"),
        ('<link rel="alternate canonical" href="https://x.example/a">', "https://x.example/a"),
        ('<link rel="canonical" href=" ">' + OG_URL, "https://presse.example/une/a.html"),
        ('<link rel="canonical" href="mailto:a@b.example">' + OG_URL, "https://presse.example/une/a.html"),
        ('<link rel="canonical" href="https://presse.example/">', "https://m.presse.example/amp/a.html"),
        ('<link rel="canonical" href="http://[">', "https://m.presse.example/amp/a.html"),
    ],
)
def test_canonical_beats_og_url_beats_the_address(head: str, expected: str) -> None:
    page = f"<html><head>{head}</head><body><p>Texte été</p></body></html>"
    assert canonical_of(page.encode(), ADDRESS) == expected
    assert canonical_of(page.encode("cp1252"), ADDRESS) == expected


@given(st.binary(max_size=300))
def test_any_bytes_have_an_address(body: bytes) -> None:
    assert canonical_of(body, "https://presse.example/a").startswith("http")
