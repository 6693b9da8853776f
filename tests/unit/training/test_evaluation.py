"""The report's arithmetic and its page: what is counted, what is drawn, what is called missed."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.adapters.memory_model import MemoryModel
from pipeline.ports import EventSpan, ModelReading, Span
from training.data import EventExample, SentenceExample, raw_press, read_split
from training.evaluation import articles, curves, page, report
from training.evaluation.articles import article_of, interval_of, measure
from training.evaluation.times import GoldTime, gold_times, measure_times
from training.scores import Pair


def pair(gold: list[str], found: list[tuple[str, float]], document: str = "d") -> Pair:
    events = tuple(EventExample(kind, None, "asserted", (), (0, 3), ()) for kind in gold)
    spans = tuple(
        EventSpan(
            type=kind,
            mode=None,
            status="asserted",
            contexts=(),
            confidence=confidence,
            trigger=Span(0, 3),
            actors=(),
            recipients=(),
            places=(),
        )
        for kind, confidence in found
    )
    return SentenceExample(document, 0, "Une <phrase>.", (), events), ModelReading((), spans)


@pytest.mark.parametrize(
    ("gold", "expected"),
    [
        ("2018-12-04", ("2018-12-04", "2018-12-05")),
        ("2018-12", ("2018-12-01", "2019-01-01")),
        ("2018", ("2018-01-01", "2019-01-01")),
        ("2016-08-11/2016-08-21", ("2016-08-11", "2016-08-21")),
        ("2022-05/2023-04", ("2022-05-01", "2023-04-01")),
        (None, None),
    ],
)
def test_a_gold_date_is_a_half_open_interval(gold: str | None, expected: tuple[str, str] | None) -> None:
    assert interval_of(gold) == expected


def test_confusions_pair_equal_types_first() -> None:
    found = curves.confusion([pair(["AID", "REJECT"], [("REJECT", 0.9), ("ACCUSE", 0.8)]), pair([], [("AID", 0.4)])])
    assert found == {("REJECT", "REJECT"): 1, ("AID", "ACCUSE"): 1, ("none", "AID"): 1}


def test_precision_and_recall_are_counted_from_the_surest_down() -> None:
    pairs = [pair(["AID"], [("AID", 0.9)]), pair([], [("AID", 0.8)]), pair(["AID"], [("AID", 0.7)]), pair(["AID"], [])]
    assert curves.precision_recall(pairs, "AID") == [(0.9, 1.0, 1 / 3), (0.8, 0.5, 1 / 3), (0.7, 2 / 3, 2 / 3)]


def test_reliability_gives_each_bin_its_share_right() -> None:
    (low, high) = curves.reliability([(0.12, False), (0.18, True), (1.0, True)])
    assert (low.right, low.size, high.right) == (0.5, 2, 1.0)
    assert low.confidence == pytest.approx(0.15)


def test_an_interval_draws_articles_and_holds_the_measure() -> None:
    pairs = [pair(["AID"], [("AID", 0.9)] if n % 2 else [], document=str(n)) for n in range(40)]
    low, high = curves.interval(pairs, curves.type_micro_f1)
    assert low < curves.type_micro_f1(pairs) < high
    assert (low, high) == curves.interval(pairs, curves.type_micro_f1)


def test_the_text_shows_ours_beside_each_peer() -> None:
    told = report.text({"a set": [report.Row("event type", "0.700", {"tfidf": "0.450"}, "≥ 0.70")]})
    (line,) = [line for line in told.splitlines() if line.startswith("event type")]
    assert line.split() == ["event", "type", "0.700", "0.450", "≥", "0.70"]


def test_the_page_marks_what_is_missed_escapes_text_and_needs_nothing_else() -> None:
    rows = [
        report.Row("a", "0.69", {}, "≥ 0.70"),
        report.Row("b", "0.05", {}, "≤ 0.06"),
        report.Row("c", "0.7", {}, ""),
    ]
    pairs = [pair(["AID"], [("REJECT", 0.9)])]
    pictures = page.Pictures(
        types=report.type_rows(pairs),
        confusion=curves.confusion(pairs),
        curves={"AID": curves.precision_recall(pairs, "AID")},
        reliability=curves.reliability([(0.9, False)]),
        errors=[page.Error("Une <phrase>.", ["AID"], ["REJECT"], 0.9)],
    )
    html = page.render("model", {"set": rows}, {"set": pictures})
    assert html.count("(missed)") == 1
    assert "&lt;phrase&gt;" in html
    assert "AID read as REJECT: 1" in html
    assert not re.search(r"<script|https?://|src=", html)


def test_whole_articles_are_measured_through_enrich(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = tmp_path / "countries.tsv"
    read.write_text("# document, start, end, country\nd\t0\t4\tUKR\n")
    monkeypatch.setattr(articles, "COUNTRIES", read)
    monkeypatch.setattr(articles, "_countries", articles._countries.__wrapped__)
    document = {
        "id": "d",
        "date": "2023-04-21",
        "text": "Kiev accuse Moscou le 3 mars 2023.",
        "sentences": [{"start": 0, "end": 34, "kind": "titre"}],
        "entities": [],
        "events": [
            {
                "sentence": 0,
                "type": "ACCUSE",
                "mode": "allege",
                "status": "historical",
                "date": "2023-03-03",
                "actors": [{"start": 0, "end": 4, "country": "UKR"}],
                "recipients": [{"start": 12, "end": 18, "country": "BLR"}],
                "places": [{"start": 0, "end": 4}],
            }
        ],
    }
    model = MemoryModel({"Kiev": "LOC", "Moscou": "LOC"}, {"accuse": "ACCUSE"})
    found = measure(model, [document])
    assert (found.date, found.date_where_gold_has_one, found.country) == ((1, 1), (1, 1), (1, 2))
    assert (found.status, found.mode, found.place_country) == ((1, 1), (0, 1), (1, 1))
    assert (found.types, found.false_positives) == ((2, 2), (0, 0))


def test_a_time_expression_is_right_where_it_means_the_days_that_were_read_there() -> None:
    text = "Réunis vendredi à 14h30, ils se reverront en mai, puis à la Toussaint et lundi."
    document = {"id": "d", "date": "2023-04-21", "text": text, "sentences": [{"start": 0, "end": 79}]}
    gold = [
        GoldTime("d", 7, 15, "2023-04-21", "2023-04-22"),
        GoldTime("d", 45, 48, "2022-05-01", "2022-06-01"),
        GoldTime("d", 60, 69, "2023-11-01", "2023-11-02"),
        GoldTime("another", 0, 1, "2023-11-01", "2023-11-02"),
    ]
    assert measure_times([document], gold) == ((2, 3), (1, 4))


def test_what_was_read_of_times_and_places_belongs_to_the_test_part() -> None:
    test = read_split().test
    times, places = gold_times(), articles._countries()
    assert {each.document for each in times} | {document for document, *_ in places} <= test
    assert all(each.start < each.end and each.first < each.behind for each in times)
    assert len(times) == 773
    assert len(places) == 343


def test_the_words_of_each_time_expression_stand_in_our_own_texts() -> None:
    ours = {document["id"]: document["text"] for document in raw_press()}
    words = [ours[each.document][each.start : each.end] for each in gold_times() if each.document in ours]
    assert len(words) == 264
    assert all(each == each.strip() and "\n" not in each for each in words)


def test_an_annotated_text_becomes_an_article_with_its_kinds() -> None:
    document = next(d for d in raw_press() if any(s["kind"] == "dateline" for s in d["sentences"]))
    article = article_of(document)
    assert article.sentences[0].kind == "heading"
    assert "dateline" in {s.kind for s in article.sentences}
    assert article.published_at == datetime.fromisoformat(document["date"]).replace(hour=12, tzinfo=UTC)
