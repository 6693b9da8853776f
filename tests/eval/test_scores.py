"""The shipped model is as good as it was: floors on held-out press texts that were never trained on.

The texts are our own (CC BY-SA 4.0), `training/press/`; which of them are held out is fixed in `training/splits/`.
Lowering a floor is an edit of floors.json that someone must make.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.onnx import OnnxModel
from training.data import SentenceExample, read_press, read_split
from training.evaluate import labels_hash
from training.scores import read_documents, scores

HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "models" / "fr-news-small"
FLOORS = json.loads((HERE / "floors.json").read_text())
Documents = dict[str, list[SentenceExample]]


@pytest.fixture(scope="module")
def held_out() -> Documents:
    test = read_split().test
    return {name: document for name, document in read_press().items() if name in test}


@pytest.fixture(scope="module")
def found(held_out: Documents) -> dict[str, Any]:
    return scores(read_documents(OnnxModel(MODEL, threads=2), held_out.values()))


def test_the_held_out_texts_are_those_the_floors_were_set_on(held_out: Documents) -> None:
    assert labels_hash(held_out) == FLOORS["labels_sha256"]
    assert read_split().hash == FLOORS["split_sha256"]


def test_held_out_texts_are_neither_trained_on_nor_tuned_on() -> None:
    split = read_split()
    assert not split.test & split.dev


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
