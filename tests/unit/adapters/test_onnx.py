"""The model's port: whole words, offsets of the sentence, and no neighbour that matters."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adapters.onnx import OnnxModel
from pipeline.adapters.onnx_decoding import Tokens, chunks, softmax
from pipeline.errors import Misconfigured
from pipeline.ports import ModelReading

FOLDER = Path(__file__).parent.parent.parent.parent / "models" / "fr-news-small"
SENTENCES = [
    "Le président ukrainien Volodymyr Zelensky a rencontré mardi à Paris Emmanuel Macron.",
    "Des milliers de personnes ont manifesté samedi à Lyon contre la réforme des retraites.",
    "",
    "   ",
    "Une nouvelle attaque de drones russes a visé Kiev.",
    "La recette demande 200 grammes de beurre.",
    "L’Otan s’inquiète, 👩‍👩‍👧 d’après l’agence.",
]


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return OnnxModel(FOLDER)


def spans(reading: ModelReading) -> list[tuple[int, int]]:
    out = [(e.start, e.end) for e in reading.entities]
    for event in reading.events:
        out += [event.trigger, *event.actors, *event.recipients, *event.places]
    return out


def check(sentence: str, reading: ModelReading) -> None:
    for start, end in spans(reading):
        assert 0 <= start < end <= len(sentence)
        piece = sentence[start:end]
        assert piece == piece.strip()
        assert start == 0 or not (sentence[start - 1].isalnum() and sentence[start].isalnum())
        assert end == len(sentence) or not (sentence[end - 1].isalnum() and sentence[end].isalnum())


def test_names_and_events_are_found_where_they_stand(model: OnnxModel) -> None:
    meeting, march, *_ = model.read(SENTENCES)
    named = {SENTENCES[0][e.start : e.end]: e.type for e in meeting.entities}
    assert named["Emmanuel Macron"] == "PER"
    assert named["Paris"] == "LOC"
    assert "PROTEST" in {event.type for event in march.events}


def test_spans_are_whole_words_of_the_sentence(model: OnnxModel) -> None:
    for sentence, reading in zip(SENTENCES, model.read(SENTENCES), strict=True):
        check(sentence, reading)


def test_an_empty_sentence_has_an_empty_reading(model: OnnxModel) -> None:
    assert model.read(["", "  "]) == [ModelReading((), ()), ModelReading((), ())]


def test_a_reading_does_not_depend_on_its_neighbours(model: OnnxModel) -> None:
    together = model.read(SENTENCES)
    assert together == [model.read([sentence])[0] for sentence in SENTENCES]
    assert together[::-1] == model.read(SENTENCES[::-1])


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=120))
def test_any_text_gives_spans_that_slice_it(text: str) -> None:
    (reading,) = OnnxCache.model().read([text])
    check(text, reading)


class OnnxCache:
    """One model for the property test, which cannot take a fixture of module scope."""

    _model: OnnxModel | None = None

    @classmethod
    def model(cls) -> OnnxModel:
        cls._model = cls._model or OnnxModel(FOLDER)
        return cls._model


def test_a_very_long_sentence_takes_time_in_proportion(model: OnnxModel) -> None:
    def seconds(length: int) -> float:
        text = "la paix reste possible entre Kiev et Moscou et " * (length // 47)
        began = time.perf_counter()
        check(text, model.read([text])[0])
        return time.perf_counter() - began

    seconds(2_000)
    assert seconds(40_000) < 60 * seconds(4_000)


def test_the_reading_names_its_model(model: OnnxModel) -> None:
    assert model.info.name == "fr-news-small"
    assert len(model.info.sha256) == 64


def test_a_folder_that_is_no_model_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="DEPECHE_MODEL"):
        OnnxModel(tmp_path)


LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([0, 1, 2, 0], [(1, 3, "PER")]),
        ([1, 1], [(0, 1, "PER"), (1, 2, "PER")]),
        ([2, 2], [(0, 2, "PER")]),
        ([1, 4], [(0, 1, "PER"), (1, 2, "LOC")]),
        ([0, 0], []),
        ([3], [(0, 1, "LOC")]),
    ],
)
def test_tags_become_runs(tags: list[int], expected: list[tuple[int, int, str]]) -> None:
    logits = np.full((len(tags), len(LABELS)), -5.0, dtype=np.float32)
    logits[np.arange(len(tags)), tags] = 5.0
    found = chunks(softmax(logits), LABELS, np.ones(len(tags), dtype=bool))
    assert [(c.first, c.last, c.label) for c in found] == expected


def test_tokens_that_are_no_text_end_a_run() -> None:
    logits = np.full((3, len(LABELS)), -5.0, dtype=np.float32)
    logits[:, 2] = 5.0
    found = chunks(softmax(logits), LABELS, np.array([True, False, True]))
    assert [(c.first, c.last) for c in found] == [(0, 1), (2, 3)]


def test_a_span_is_widened_to_whole_words_but_not_over_an_apostrophe() -> None:
    tokens = Tokens("l'Ukraine résiste", [(2, 5), (5, 9), (10, 13)])
    logits = np.full((3, len(LABELS)), -5.0, dtype=np.float32)
    logits[[0, 1, 2], [3, 0, 0]] = 5.0
    (chunk,) = chunks(softmax(logits), LABELS, tokens.real)
    assert tokens.span(chunk) == (2, 9)
