"""Whatever comes in is either a clean article or a flaw with its reason; offsets always slice the text."""

import time
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Flaw
from pipeline.events import Article, RawArticle
from pipeline.normalise import clean
from tests.fixtures.seeds import BAD

NOW = datetime(2026, 11, 27, tzinfo=UTC)
FRENCH = "Le ministre a annoncé mardi à Paris la reprise des négociations avec les syndicats de la région. "


def raw(body: bytes, media_type: str = "text/plain", **more: object) -> RawArticle:
    return RawArticle(
        article_id="a",
        source="s",
        url=None,
        position="p",
        body=body,
        media_type=media_type,
        fetched_at=NOW,
        **more,  # type: ignore[arg-type]
    )


def check_offsets(article: Article) -> None:
    assert unicodedata.is_normalized("NFC", article.text)
    last = 0
    for s in article.sentences:
        assert last <= s.start < s.end <= len(article.text)
        piece = article.text[s.start : s.end]
        assert piece == piece.strip()
        last = s.end


@pytest.mark.parametrize(
    ("name", "media_type", "reason"),
    [
        ("empty.txt", "text/plain", "empty"),
        ("blank.txt", "text/plain", "empty"),
        ("english.txt", "text/plain", "not_french"),
        ("no-text.html", "text/html", "no_text"),
    ],
)
def test_what_is_no_french_article_is_turned_down_with_its_reason(name: str, media_type: str, reason: str) -> None:
    found = clean(raw((BAD / name).read_bytes(), media_type), NOW)
    assert isinstance(found, Flaw)
    assert found.reason == reason


@pytest.mark.parametrize("name", ["nul.txt", "invalid-utf8.txt", "latin1.txt", "bidi-emoji.txt"])
def test_what_can_be_mended_is_read(name: str) -> None:
    found = clean(raw((BAD / name).read_bytes()), NOW)
    assert isinstance(found, Article)
    assert "\0" not in found.text
    check_offsets(found)


def test_latin_1_keeps_its_accents() -> None:
    found = clean(raw((BAD / "latin1.txt").read_bytes(), charset="utf-8"), NOW)
    assert isinstance(found, Article)
    assert "l'Élysée son homologue sénégalais" in found.text
    assert found.notes == ("declared utf-8, read as cp1252",)


def test_emoji_and_right_to_left_text_stay_and_marks_go() -> None:
    found = clean(raw((BAD / "bidi-emoji.txt").read_bytes()), NOW)
    assert isinstance(found, Article)
    assert "👩‍👩‍👧" in found.text
    assert "\u202b" not in found.text
    (sentence,) = found.sentences
    assert found.text[sentence.start : sentence.end].endswith("la préfecture.")


def test_a_date_in_the_future_is_ignored_and_noted() -> None:
    found = clean(raw(FRENCH.encode(), published_at=datetime(2999, 1, 1, tzinfo=UTC)), NOW)
    assert isinstance(found, Article)
    assert found.published_at is None
    assert "lies in the future" in found.notes[0]


def test_a_sentence_of_100_000_characters_takes_time_in_proportion() -> None:
    def seconds(length: int) -> float:
        body = ("la paix est possible et " * (length // 24)).encode()
        began = time.perf_counter()
        found = clean(raw(body), NOW)
        assert isinstance(found, Article)
        assert len(found.sentences) == 1
        return time.perf_counter() - began

    seconds(10_000)
    # Ten times the length may take ten times as long, and a generous factor for a busy machine.
    assert seconds(100_000) < 60 * max(seconds(10_000), 0.005)


def test_ten_thousand_short_sentences_are_cut() -> None:
    found = clean(raw(("Il pleut à Brest. " * 10_000).encode()), NOW)
    assert isinstance(found, Article)
    assert len(found.sentences) == 10_000


def test_capitals_without_accents_are_french_too() -> None:
    text = "LE PREMIER MINISTRE A ANNONCE MARDI LA REPRISE DES NEGOCIATIONS AVEC LES SYNDICATS DE LA FONCTION PUBLIQUE."
    found = clean(raw(text.encode()), NOW)
    assert isinstance(found, Article)
    assert found.text == text


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["text/plain", "text/html"]))
def test_no_bytes_make_it_fail(body: bytes, media_type: str) -> None:
    found = clean(raw(body, media_type), NOW)
    if isinstance(found, Article):
        check_offsets(found)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_cleaning_a_clean_text_changes_nothing(extra: str) -> None:
    first = clean(raw((FRENCH * 3 + extra).encode("utf-8", "surrogatepass")), NOW)
    if isinstance(first, Flaw):
        return
    check_offsets(first)
    again = clean(raw(first.text.encode()), NOW)
    assert isinstance(again, Article)
    assert again.text == first.text
