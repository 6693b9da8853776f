"""Logits become runs, runs become whole words, and pooled logits become events."""

import numpy as np
import pytest

from pipeline.adapters.onnx_decoding import (
    Grammar,
    Heads,
    Logits,
    Scheme,
    Tokens,
    calibrated,
    chunks,
    logit_of,
    pooled,
    read,
    softmax,
)

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
GRAMMAR = Grammar.of(LABELS, np.zeros((5, 5)).tolist())


def tagged(tags: list[int], strength: float = 5.0) -> Logits:
    logits = np.full((len(tags), len(LABELS)), -strength, dtype=np.float32)
    logits[np.arange(len(tags)), tags] = strength
    return logits


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([0, 1, 2, 0], [(1, 3, "PER")]),
        ([1, 1], [(0, 1, "PER"), (1, 2, "PER")]),
        ([0, 0], []),
        ([3], [(0, 1, "LOC")]),
        ([1, 2, 0, 3, 4], [(0, 2, "PER"), (3, 5, "LOC")]),
    ],
)
def test_tags_become_runs(tags: list[int], expected: list[tuple[int, int, str]]) -> None:
    found = chunks(softmax(tagged(tags)), GRAMMAR, np.ones(len(tags), dtype=bool))
    assert [(c.first, c.last, c.label) for c in found] == expected


def test_a_sequence_that_bio_forbids_is_never_read() -> None:
    logits = tagged([1, 4])
    logits[1, 2] = 4.0
    (found,) = chunks(softmax(logits), GRAMMAR, np.ones(2, dtype=bool))
    assert (found.first, found.last, found.label) == (0, 2, "PER")


def test_an_inside_without_its_beginning_is_no_name_of_its_own() -> None:
    logits = tagged([0, 2], strength=1.0)
    logits[1, 0] = 0.9
    assert chunks(softmax(logits), GRAMMAR, np.ones(2, dtype=bool)) == []


def test_tokens_that_are_no_text_end_a_run() -> None:
    found = chunks(softmax(tagged([1, 1, 1])), GRAMMAR, np.array([True, False, True]))
    assert [(c.first, c.last) for c in found] == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    ("text", "token", "expected"),
    [
        ("l'Ukraine résiste", (2, 5), "Ukraine"),
        ("l'Ukraine résiste", (0, 9), "Ukraine"),
        ("en 2016, déjà", (3, 8), "2016"),
        ("la Banque de France (BdF) dit", (3, 25), "Banque de France (BdF)"),
        ("(Reuters) -", (0, 9), "Reuters"),
        ("au Mandat des", (0, 13), "Mandat"),
        ("les U.S. Marines", (4, 8), "U.S."),
        ("La Rochelle", (0, 11), "La Rochelle"),
        ("« de »", (2, 6), ""),
    ],
)
def test_a_span_is_whole_words_without_articles_and_marks_around(
    text: str, token: tuple[int, int], expected: str
) -> None:
    (chunk,) = chunks(softmax(tagged([3])), GRAMMAR, np.ones(1, dtype=bool))
    start, end = Tokens(text, [token]).span(chunk)
    assert text[start:end] == expected


def test_a_sentence_is_as_sure_as_its_surest_token_and_a_little_surer_for_more() -> None:
    once = pooled(np.array([[-5.0], [2.0]], dtype=np.float32))
    twice = pooled(np.array([[2.0], [2.0]], dtype=np.float32))
    assert once[0] == pytest.approx(2.0, abs=1e-3)
    assert twice[0] == pytest.approx(2.0 + np.log(2) / 2)


def test_a_confidence_follows_its_curve() -> None:
    assert calibrated(0.0, (1.0, 0.0)) == 0.5
    assert calibrated(2.0, (0.5, -1.0)) == 0.5
    assert logit_of(0.5) == 0.0
    assert abs(logit_of(1.0)) < 14


def _heads(trigger: list[list[float]]) -> Heads:
    n = len(trigger)
    zeros = lambda *shape: np.zeros(shape, dtype=np.float32)  # noqa: E731
    return Heads(
        entity=tagged([0] * n),
        trigger=np.array(trigger, dtype=np.float32),
        status=np.tile(np.array([3.0, 0.0], dtype=np.float32), (n, 1)),
        mode=np.tile(np.array([0.0, 1.0, 2.0], dtype=np.float32), (n, 1)),
        context=zeros(n, 1) - 5,
        asks=zeros(n, 3 * 2),
        answers=zeros(n, 2),
        alone=np.tile(np.array([5.0, 0.0, 0.0], dtype=np.float32), (n, 1)),
    )


SCHEME = Scheme(
    entity=GRAMMAR,
    argument=Grammar.of(["O", "B-actor", "I-actor"], np.zeros((3, 3)).tolist()),
    trigger=["AID", "ACCUSE"],
    status=["asserted", "future"],
    mode=["-", "allege", "drone"],
    context=["legal"],
    modes_of={"AID": [], "ACCUSE": ["allege"]},
    context_threshold=0.5,
    argument_threshold=0.5,
    event_thresholds={"AID": 0.5, "ACCUSE": 0.5},
    event_calibration={},
    entity_calibration=(1.0, 0.0),
    second_threshold=0.6,
)
WORDS = Tokens("il accuse et aide", [(0, 2), (3, 9), (10, 12), (13, 17)])


def test_each_type_has_its_own_trigger_and_only_modes_of_its_own() -> None:
    heads = _heads([[-9, -9], [-9, 3], [-9, -9], [2, -9]])
    accuse, aid = read(heads, SCHEME, WORDS).events
    assert (accuse.type, accuse.mode, accuse.trigger) == ("ACCUSE", "allege", (3, 9))
    assert (aid.type, aid.mode, aid.trigger) == ("AID", None, (13, 17))
    assert accuse.status == "asserted"


def test_of_two_types_that_claim_one_word_the_surer_has_it() -> None:
    found = read(_heads([[-9, -9], [3, 2], [-9, -9], [-9, -9]]), SCHEME, WORDS).events
    assert [(e.type, e.trigger) for e in found] == [("AID", (3, 9))]


def test_a_word_is_not_left_to_the_second_best_type_when_the_best_is_not_sure_enough() -> None:
    strict = SCHEME._replace(event_thresholds={"AID": 0.99, "ACCUSE": 0.5})
    assert read(_heads([[-9, -9], [3, 2], [-9, -9], [-9, -9]]), strict, WORDS).events == ()


def test_a_second_trigger_of_a_type_must_be_sure_of_itself() -> None:
    unsure = read(_heads([[-9, -9], [-9, 1], [-9, -9], [-9, 0.3]]), SCHEME, WORDS).events
    sure = read(_heads([[-9, -9], [-9, 1], [-9, -9], [-9, 1]]), SCHEME, WORDS).events
    assert [len(unsure), len(sure)] == [1, 2]


def test_below_its_threshold_a_type_is_not_found() -> None:
    assert read(_heads([[-9, -9], [-9, -0.5], [-9, -9], [-9, -9]]), SCHEME, WORDS).events == ()
