"""Logits become runs, and runs become whole words."""

import numpy as np
import pytest

from pipeline.adapters.onnx_decoding import Tokens, chunks, softmax

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
