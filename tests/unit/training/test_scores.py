"""Figures are what their names say."""

import numpy as np
import pytest

from pipeline.ports import EntitySpan, EventSpan, ModelReading, Span
from training.calibrate import platt
from training.data import EventExample, SentenceExample
from training.scores import calibration_error, scores

TEXT = "Paris accuse Moscou"


def event(kind: str, *, actors: tuple[Span, ...] = (), status: str = "asserted", confidence: float = 0.9) -> EventSpan:
    return EventSpan(
        type=kind,
        mode=None,
        status=status,
        contexts=(),
        confidence=confidence,
        trigger=Span(6, 12),
        actors=actors,
        recipients=(),
        places=(),
    )


def gold(*kinds: str) -> SentenceExample:
    events = tuple(EventExample(kind, None, "asserted", (), (6, 12), (("actor", 0, 5),)) for kind in kinds)
    return SentenceExample("d", 0, TEXT, ((0, 5, "LOC"), (13, 19, "LOC")), events)


def reading(*events: EventSpan, entities: tuple[EntitySpan, ...] = ()) -> ModelReading:
    return ModelReading(entities, events)


def test_types_count_as_multisets_and_only_silent_sentences_as_false_positives() -> None:
    pairs = [
        (gold("ACCUSE"), reading(event("ACCUSE"), event("REQUEST"))),
        (gold("REJECT"), reading()),
        (gold(), reading(event("AID"))),
        (gold(), reading()),
    ]
    found = scores(pairs)
    assert found["event_type_micro_f1"] == pytest.approx(2 / (2 + 2 + 1), abs=1e-4)
    assert found["false_positive_rate"] == 0.5
    assert found["event_type_f1"]["REJECT"] == 0.0


def test_quad_classes_forgive_a_type_of_the_same_class() -> None:
    found = scores([(gold("ACCUSE"), reading(event("REJECT")))])
    assert (found["event_type_micro_f1"], found["quad_class_micro_f1"]) == (0.0, 1.0)


def test_arguments_count_by_overlap_within_events_of_the_right_type() -> None:
    found = scores([(gold("ACCUSE"), reading(event("ACCUSE", actors=(Span(0, 3), Span(13, 19)), status="future")))])
    assert found["actor_overlap_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["status_accuracy"] == 0.0


def test_entities_count_by_exact_span_and_unseen_names_apart() -> None:
    entities = (EntitySpan(0, 5, "LOC", 0.9), EntitySpan(13, 18, "LOC", 0.9))
    pairs = [(gold(), reading(entities=entities))]
    assert scores(pairs)["entity_f1_per_loc_org"] == 0.5
    assert scores(pairs, frozenset({"Paris"}))["unseen_name_recall"] == 0.0
    assert scores(pairs, frozenset({"Moscou"}))["unseen_name_recall"] == 1.0


def test_a_calibration_error_is_the_mean_distance_of_confidence_and_hits() -> None:
    assert calibration_error([(0.95, True), (0.95, False)]) == pytest.approx(0.45)
    assert calibration_error([(0.75, True)] * 3 + [(0.75, False)]) == pytest.approx(0.0)
    assert calibration_error([]) == 0.0


def test_a_curve_finds_the_one_the_data_came_from() -> None:
    chance = np.random.default_rng(7)
    logits = chance.normal(0, 2, 20_000)
    right = chance.random(20_000) < 1 / (1 + np.exp(-(0.6 * logits - 0.5)))
    slope, intercept = platt(logits, right)
    assert slope == pytest.approx(0.6, abs=0.05)
    assert intercept == pytest.approx(-0.5, abs=0.05)
