"""Scores of a model folder, through the adapter that ships: what a user gets is what is measured."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from pipeline.adapters.onnx import OnnxModel
from training.data import SentenceExample
from training.scores import names_in, read_documents, scores

Documents = Mapping[str, Sequence[SentenceExample]]


def parts_of(test: Documents) -> dict[str, list[Sequence[SentenceExample]]]:
    """Return the documents by what they are: the two kinds of news are never averaged without being shown apart."""
    ours = ("press", "x")
    return {
        "wikinews": [d for name, d in test.items() if not name.startswith(ours)],
        "press": [d for name, d in test.items() if name.startswith(ours)],
        "all": list(test.values()),
    }


def labels_hash(test: Documents) -> str:
    """Return the SHA-256 of the documents' sentences and labels: which truth the scores were measured against."""
    rows = [[astuple(example) for example in test[name]] for name in sorted(test)]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


def report(folder: Path, test: Documents, train: Documents, split_hash: str) -> dict[str, object]:
    """Print and return the scores on `test`, and keep them as scores.json beside the model."""
    model = OnnxModel(folder, threads=2)
    seen = names_in(train.values())
    out: dict[str, object] = {
        "test_split_sha256": split_hash,
        "test_labels_sha256": labels_hash(test),
        "model_sha256": model.info.sha256,
    }
    for name, documents in parts_of(test).items():
        if documents:
            out[name] = scores(read_documents(model, documents), seen)
    text = json.dumps(out, ensure_ascii=False, indent=1)
    (folder / "scores.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return out
