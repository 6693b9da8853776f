"""The data that ships is whole: every offset, label and split."""

import json
from pathlib import Path

from training.data import draw_split, read_press, read_split
from training.ontology import facts

WIKINEWS = Path(__file__).parents[3] / "training" / "wikinews" / "events.jsonl"


def test_every_press_text_obeys_the_notation_and_has_sentences() -> None:
    documents = read_press()
    assert len(documents) > 1_100
    assert all(documents.values())
    for document in documents.values():
        for sentence in document:
            for start, end, _ in sentence.entities:
                assert sentence.text[start:end].strip() == sentence.text[start:end] != ""


def test_stand_off_events_lie_in_their_sentences_and_have_labels_of_the_ontology() -> None:
    types = facts()["types"]
    for line in WIKINEWS.read_text(encoding="utf-8").splitlines():
        article = json.loads(line)
        for event in article["events"]:
            start, end = article["sentences"][event["sentence"]]
            spans = [
                *event["trigger"],
                *([x["start"], x["end"]] for k in ("actors", "recipients", "places") for x in event[k]),
            ]
            assert all(start <= a < b <= end for a, b in spans), article["id"]
            assert event["mode"] in {None, *types[event["type"]]["modes"]}, article["id"]
            assert set(event["contexts"]) <= set(facts()["contexts"]), article["id"]


def test_no_document_is_in_two_parts() -> None:
    split = read_split()
    assert not split.test & split.dev
    assert len(split.hash) == 64


def test_a_split_depends_on_the_ids_alone_and_leaves_the_month_of_one_story_out() -> None:
    ids = [f"2016_0{m}_0{d}-00{n}" for m in range(1, 8) for d in range(1, 8) for n in range(1, 4)] + ["2018_12_01-001"]
    drawn = draw_split(ids)
    assert drawn == draw_split(ids[::-1])
    assert "2018_12_01-001" not in drawn["test"] + drawn["dev"]
    assert not set(drawn["test"]) & set(drawn["dev"])
