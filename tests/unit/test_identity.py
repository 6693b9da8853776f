"""The same article has the same id, however its address is spelled."""

import pytest

from pipeline.identity import article_id, canonical_url, content_hash, event_id


@pytest.mark.parametrize(
    "spelling",
    [
        "https://www.exemple.fr/monde/a.html",
        "HTTPS://WWW.Exemple.FR/monde/a.html",
        "https://www.exemple.fr/monde/a.html#commentaires",
        "https://www.exemple.fr/monde/a.html?utm_source=rss&utm_medium=feed",
        "https://www.exemple.fr/monde/a.html?xtor=RSS-1",
        " https://www.exemple.fr/monde/a.html ".strip(),
    ],
)
def test_one_page_has_one_address(spelling: str) -> None:
    assert canonical_url(spelling) == "https://www.exemple.fr/monde/a.html"
    assert article_id(url=spelling) == article_id(url="https://www.exemple.fr/monde/a.html")


def test_parameters_that_select_a_page_are_kept() -> None:
    assert article_id(url="https://exemple.fr/?id=1") != article_id(url="https://exemple.fr/?id=2")


def test_raw_brackets_in_an_address_are_escaped() -> None:
    assert canonical_url("https://exemple.fr/[a]") == "https://exemple.fr/%5Ba%5D"


@pytest.mark.parametrize("address", ["", "ftp://exemple.fr/a", "javascript:alert(1)", "exemple.fr/a"])
def test_what_is_no_web_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not an http address"):
        canonical_url(address)


def test_an_article_without_address_is_known_by_its_source_and_its_own_id() -> None:
    assert article_id(source="a", own_id="1") == article_id(source="a", own_id="1")
    assert article_id(source="a", own_id="1") != article_id(source="b", own_id="1")
    with pytest.raises(ValueError, match="own id"):
        article_id(source="a")


def test_parts_are_kept_apart() -> None:
    assert article_id(source="ab", own_id="c") != article_id(source="a", own_id="bc")
    assert event_id("t", "ab", "c") != event_id("t", "a", "bc")
    assert content_hash("ab", "c") != content_hash("a", "bc")


def test_a_new_title_is_new_content() -> None:
    assert content_hash("Titre", "Texte") != content_hash("Autre titre", "Texte")
