"""The shipped model is as good as it was: floors on held-out press texts that were never trained on.

The texts are our own (CC BY-SA 4.0). Lowering a floor is an edit of floors.json that someone must make.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.onnx import OnnxModel
from training.data import SentenceExample, read_press, read_split
from training.evaluate import scores

HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "models" / "fr-news-small"
FLOORS = json.loads((HERE / "floors.json").read_text())


@pytest.fixture(scope="module")
def examples() -> list[SentenceExample]:
    return read_press(HERE / "press_heldout.jsonl")


@pytest.fixture(scope="module")
def found(examples: list[SentenceExample]) -> dict[str, Any]:
    model = OnnxModel(MODEL, threads=2)
    return scores(examples, model.read([e.text for e in examples]))


def test_the_held_out_texts_are_those_the_floors_were_set_on() -> None:
    assert hashlib.sha256((HERE / "press_heldout.jsonl").read_bytes()).hexdigest() == FLOORS["sha256"]


def test_none_of_them_was_trained_on(examples: list[SentenceExample]) -> None:
    assert {e.document for e in examples} <= read_split().test


@pytest.mark.parametrize("measure", sorted(FLOORS["at_least"]))
def test_a_score_has_not_fallen(found: dict[str, Any], measure: str) -> None:
    assert found[measure] >= FLOORS["at_least"][measure]


@pytest.mark.parametrize("measure", sorted(FLOORS["at_most"]))
def test_an_error_rate_has_not_risen(found: dict[str, Any], measure: str) -> None:
    assert found[measure] <= FLOORS["at_most"][measure]


def test_the_scores_kept_beside_the_model_are_those_of_this_model() -> None:
    kept = json.loads((MODEL / "scores.json").read_text())
    assert kept["model_sha256"] == hashlib.sha256((MODEL / "model.onnx").read_bytes()).hexdigest()
    assert kept["test_split_sha256"] == read_split().hash
