"""The report's arithmetic and its page: what is counted, what is drawn, what is called missed."""

import re
from datetime import UTC, datetime

import pytest

from pipeline.adapters.memory_model import MemoryModel
from pipeline.ports import EventSpan, ModelReading, Span
from training.data import EventExample, SentenceExample, raw_press
from training.evaluation import curves, page, report
from training.evaluation.articles import article_of, interval_of, measure
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


def test_whole_articles_are_measured_through_enrich() -> None:
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
            }
        ],
    }
    model = MemoryModel({"Kiev": "LOC", "Moscou": "LOC"}, {"accuse": "ACCUSE"})
    found = measure(model, [document])
    assert (found.date, found.date_where_gold_has_one, found.country) == ((1, 1), (1, 1), (1, 2))
    assert (found.status, found.mode) == ((1, 1), (0, 1))


def test_an_annotated_text_becomes_an_article_with_its_kinds() -> None:
    document = next(d for d in raw_press() if any(s["kind"] == "dateline" for s in d["sentences"]))
    article = article_of(document)
    assert article.sentences[0].kind == "heading"
    assert "dateline" in {s.kind for s in article.sentences}
    assert article.published_at == datetime.fromisoformat(document["date"]).replace(hour=12, tzinfo=UTC)
