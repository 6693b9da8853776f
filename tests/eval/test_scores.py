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
from training.data import Document, SentenceExample, examples, raw_press, read_split
from training.evaluate import labels_hash
from training.evaluation.articles import measure
from training.evaluation.times import gold_times, measure_times
from training.scores import read_documents, scores

HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "models" / "fr-news-small"
FLOORS = json.loads((HERE / "floors.json").read_text())
KERNELS = 0.02
"""How far a figure may lie apart on processors that multiply int8 in another way."""
Documents = dict[str, list[SentenceExample]]


@pytest.fixture(scope="module")
def texts() -> list[Document]:
    test = read_split().test
    return [document for document in raw_press() if document["id"] in test]


@pytest.fixture(scope="module")
def held_out(texts: list[Document]) -> Documents:
    return examples(texts)


@pytest.fixture(scope="module")
def found(texts: list[Document], held_out: Documents) -> dict[str, Any]:
    model = OnnxModel(MODEL, threads=2)
    whole = {name: share.value for name, share in measure(model, texts)._asdict().items()}
    times = measure_times(texts, (each for each in gold_times() if each.document in held_out))
    read = {"times_right": times.right.value, "times_spurious": times.spurious.value}
    return scores(read_documents(model, held_out.values())) | whole | read


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


def test_the_scores_kept_beside_the_model_are_those_of_this_model(held_out: Documents, found: dict[str, Any]) -> None:
    kept = json.loads((MODEL / "scores.json").read_text())
    assert kept["model_sha256"] == hashlib.sha256((MODEL / "model.onnx").read_bytes()).hexdigest()
    assert kept["test_split_sha256"] == read_split().hash
    assert kept["press"]["sentences"] == sum(map(len, held_out.values()))
    for measure_, value in kept["press"].items():
        if isinstance(value, float) and measure_ != "unseen_name_recall":
            assert value == pytest.approx(found[measure_], abs=KERNELS), measure_
