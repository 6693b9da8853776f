"""JSON Lines as a source."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.events import RawArticle
from pipeline.fetch import Source, Spoiled
from pipeline.identity import article_id
from tests.fixtures.fetching import START, Pulled, articles, days, spoiled

FILE = "archives/a.jsonl"


def archive(*lines: Any) -> Pulled:
    pulled = Pulled(Source(name="archives", kind="jsonl", path="archives/*.jsonl"))
    pulled.write(FILE, text(*lines))
    return pulled


def text(*lines: Any) -> str:
    return "".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines)


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"n{number}", "text": f"Le ministre numéro {number} a démissionné."} | more


def test_a_line_becomes_an_article_with_what_it_says_of_itself() -> None:
    url = "https://presse.example/a.html?utm_source=x"
    pulled = archive(
        {
            "id": "7",
            "url": url,
            "title": "Démission",
            "text": "Il part.",
            "date": "2024-03-12",
            "authors": ["A. Nom", 3, ""],
        },
        {"id": 8, "html": "<p>Elle reste.</p>", "published_at": "2024-03-12T18:30:00+01:00", "authors": "B. Nom"},
    )
    first, second = articles(pulled.pull())
    assert first.article_id == article_id(url="https://presse.example/a.html")
    assert (first.url, first.title, first.body, first.authors) == (url, "Démission", b"Il part.", ("A. Nom",))
    assert (first.published_at, first.published_precision) == (datetime(2024, 3, 12, tzinfo=UTC), "day")
    assert (first.media_type, first.position) == ("text/plain", f"{FILE}:1")
    assert second.article_id == article_id(source="archives", own_id="8")
    assert (second.media_type, second.body, second.authors) == ("text/html", b"<p>Elle reste.</p>", ("B. Nom",))
    assert second.published_at == datetime(2024, 3, 12, 17, 30, tzinfo=UTC)
    assert (second.published_precision, second.position) == ("instant", f"{FILE}:2")


def test_an_appended_an_inserted_and_an_edited_line_are_picked_up_alone() -> None:
    pulled = archive(line(1), line(2), line(3))
    assert len(pulled.pull()) == 3
    assert pulled.pull() == []
    pulled.write(FILE, text(line(0), line(1), line(2, title="Corrigé"), line(3), line(4)))
    assert [item.position for item in articles(pulled.pull())] == [f"{FILE}:1", f"{FILE}:3", f"{FILE}:5"]
    assert pulled.pull() == []


def test_a_pull_cut_off_in_a_file_goes_on_behind_its_last_haul() -> None:
    pulled = archive(*(line(number) for number in range(120)))
    hauls = pulled.hauls()
    assert [len(haul.items) for haul in hauls] == [50, 50, 20]
    pulled.state = hauls[1].state
    assert [item.position for item in articles(pulled.pull())] == [f"{FILE}:{n}" for n in range(101, 121)]
    assert pulled.pull() == []


def test_a_file_changed_while_a_pull_was_cut_off_is_read_again_from_its_start() -> None:
    lines = [line(number) for number in range(120)]
    pulled = archive(*lines)
    pulled.state = pulled.hauls()[0].state
    pulled.write(FILE, text(line(-1), *lines))
    assert len(pulled.pull()) == 121


def test_the_cursor_is_a_few_bytes_a_line() -> None:
    pulled = archive(*(line(number) for number in range(2000)))
    pulled.pull()
    assert pulled.state is not None
    assert sum(len(note) for note in pulled.state.cursor.values()) < 2000 * 7
    assert len(pulled.state.cursor) == 1


def test_a_window_gives_its_days_and_the_undated_and_moves_no_cursor() -> None:
    pulled = archive(
        line(1, date="2026-02-01"),
        line(2, date="2026-02-03"),
        line(3),
        line(4, date="2026-02-04T00:00:00Z"),
        line(5, date="2026-02-03T23:59:59Z"),
    )
    day = days(START.replace(hour=0), 1)
    assert [item.position for item in articles(pulled.pull(day))] == [f"{FILE}:{n}" for n in (2, 3, 5)]
    assert len(pulled.pull()) == 5
    assert len(pulled.pull(day)) == 3
    assert pulled.pull() == []


def test_a_window_does_not_hide_what_was_left_out_of_it() -> None:
    pulled = archive(line(1, date="2020-01-01"))
    assert pulled.pull(days(START, 1)) == []
    assert len(articles(pulled.pull())) == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"id": "1", "text": "Le ministre', "malformed_json"),
        (b'["liste"]', "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b'{"id": "1", "text": "\\ud800"}', "malformed_json"),
        (b'{"id": "1", "text": "a\0b"}', "malformed_json"),
        (b'{"id": "1", "text": "\xe9t\xe9"}', "undecodable"),
        (b"\xff\xfe\x00", "malformed_json"),
        (b'{"id": "1"}', "missing_field"),
        (b'{"id": "1", "text": 5}', "missing_field"),
        (b'{"text": "sans nom"}', "missing_field"),
        (b'{"id": "", "text": "sans nom"}', "missing_field"),
        (b'{"url": "pas une adresse", "text": "a"}', "wrong_schema"),
        (b'{"id": "1", "text": "a", "date": "hier"}', "wrong_schema"),
        (b'{"id": "1", "text": "a", "date": 20240312}', "wrong_schema"),
        (b'{"id": "1", "text": "a", "date": "9999-12-31T23:59:59-12:00"}', "wrong_schema"),
        (b'{"id": "1", "text": "a", "media_type": "application/pdf"}', "wrong_schema"),
        (b'{"id": "1", "text": " "}', "empty"),
    ],
)
def test_a_bad_line_is_rejected_with_its_bytes_and_place_and_the_others_go_on(raw: bytes, reason: str) -> None:
    pulled = archive()
    pulled.write(FILE, b"\n".join([json.dumps(line(1)).encode(), b"", raw, json.dumps(line(2)).encode()]))
    items = pulled.pull()
    (bad,) = spoiled(items)
    assert (bad.flaw.reason, bad.position, bad.original, bad.size) == (reason, f"{FILE}:3", raw, len(raw))
    assert [item.position for item in items if isinstance(item, RawArticle)] == [f"{FILE}:1", f"{FILE}:4"]
    assert pulled.pull() == []


def test_a_line_past_the_limit_is_cut() -> None:
    pulled = archive(line(1, text="a" * 11 * 2**20), line(2))
    bad, good = pulled.pull()
    assert isinstance(bad, Spoiled)
    assert (bad.flaw.reason, len(bad.original)) == ("oversize", 2**20)
    assert bad.size > 11 * 2**20
    assert isinstance(good, RawArticle)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    pulled = archive()
    pulled.write(FILE, b"\xef\xbb\xbf" + json.dumps(line(1)).encode() + b"\r\n" + json.dumps(line(2)).encode())
    assert [item.body.decode() for item in articles(pulled.pull())] == [line(1)["text"], line(2)["text"]]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_give_one_item_a_line_or_none_for_a_blank_one(lines: list[bytes]) -> None:
    pulled = archive()
    body = b"\n".join(lines)
    pulled.write(FILE, body)
    items = pulled.pull()
    assert len(items) <= body.count(b"\n") + 1
    told = {bad.original for bad in spoiled(items)}
    assert all(raw.strip(b"\r\n") in told for raw in body.split(b"\n") if raw.strip())
    assert pulled.pull() == []


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    st.text(min_size=1).filter(str.strip),
)
def test_any_text_comes_through_untouched(body: str, own: str) -> None:
    pulled = archive({"id": own.encode("utf-8", "replace").decode(), "text": body + "x"})
    (item,) = articles(pulled.pull())
    assert item.body.decode() == body + "x"
