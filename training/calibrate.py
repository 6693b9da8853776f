"""Confidences that mean something, and from which one on an event counts: both fitted on the dev part.

Platt scaling (Platt 1999): the share of findings that are right is a logistic curve of the model's logit. One
curve for all event types and one for entities, since a type alone has too few cases in the dev part; the
thresholds are each type's own.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.adapters.onnx import OnnxModel
from pipeline.adapters.onnx_decoding import logit_of
from training.data import SentenceExample
from training.scores import Score, read_documents, total

_GRID = [round(0.15 + 0.025 * n, 3) for n in range(29)]
_PULL = 0.15
"""Loss of F1 that a threshold must outweigh per 1.0 of distance from the best common one: rare types do not jump."""


def calibrate(folder: Path, dev: Sequence[Sequence[SentenceExample]]) -> None:
    """Write curves and thresholds into the config.json of a model folder."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    kinds = list(config["modes_of"])
    config["thresholds"] |= {"event": dict.fromkeys(kinds, 0.01), "second": 2.0}
    config["calibration"] = {"entity": [1.0, 0.0], "event": {kind: [1.0, 0.0] for kind in kinds}}
    _write(path, config)
    pairs = read_documents(OnnxModel(folder, threads=2), dev)
    logits, right = [], []
    for example, reading in pairs:
        reported = {event.type for event in example.events}
        found = {event.type: event.confidence for event in reading.events}
        for kind in kinds:
            logits.append(logit_of(found.get(kind, 0.005)))
            right.append(kind in reported)
    slope, intercept = platt(np.array(logits), np.array(right))
    of_entities = [
        (logit_of(each.confidence), (each.start, each.end, each.type) in example.entities)
        for example, reading in pairs
        for each in reading.entities
    ]
    entity = platt(np.array([x for x, _ in of_entities]), np.array([y for _, y in of_entities]))
    config["calibration"] = {"entity": list(entity), "event": {kind: [slope, intercept] for kind in kinds}}
    _write(path, config)
    pairs = read_documents(OnnxModel(folder, threads=2), dev)
    config["thresholds"] |= {"event": thresholds(pairs, kinds), "second": 0.95}
    _write(path, config)


def _write(path: Path, config: dict[str, object]) -> None:
    path.write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def platt(logits: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and intercept of the logistic curve of largest likelihood.

    Newton's method; a step that would lower the likelihood is halved until it does not: from a model that is far
    surer than right, the full step runs away (Lin, Lin and Weng 2007).
    """
    x = np.stack([logits, np.ones_like(logits)], axis=1)
    y = right.astype(float)
    start = np.array([1.0, 0.0])

    def loss(line: npt.NDArray[np.float64]) -> float:
        z = x @ line
        return float(np.sum(np.logaddexp(0, z) - y * z) + 0.5e-3 * np.sum((line - start) ** 2))

    line = start
    for _ in range(25):
        p = 1 / (1 + np.exp(-x @ line))
        gradient = x.T @ (p - y) + 1e-3 * (line - start)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while loss(line - step) > loss(line) and np.abs(step).max() > 1e-9:
            step = step / 2
        line = line - step
    return round(float(line[0]), 4), round(float(line[1]), 4)


def thresholds(pairs: Sequence[tuple[SentenceExample, object]], kinds: Sequence[str]) -> dict[str, float]:
    """Return each type's threshold: where its F1 is highest, drawn towards the one best for all types together."""
    table = {kind: [_score(pairs, kind, at) for at in _GRID] for kind in kinds}
    common = max(range(len(_GRID)), key=lambda n: total(table[kind][n] for kind in kinds).f1)
    return {
        kind: max(
            (row[n].f1 - _PULL * abs(_GRID[n] - _GRID[common]), -abs(n - common), _GRID[n]) for n in range(len(_GRID))
        )[2]
        for kind, row in table.items()
    }


def _score(pairs: Sequence[tuple[SentenceExample, object]], kind: str, threshold: float) -> Score:
    gold, found = Counter[int](), Counter[int]()
    for n, (example, reading) in enumerate(pairs):
        gold[n] += sum(event.type == kind for event in example.events)
        found[n] += any(e.type == kind and e.confidence >= threshold for e in reading.events)  # type: ignore[attr-defined]
    return Score.of(gold, found)
