"""`python -m training.crosscheck`: where labels and a model that never saw them disagree, for a person to read again.

The documents outside the test part are cut into folds; a model trained on the others reads each. Where it is sure of
something against a label, one of the two errs, and only a reader can tell which. One JSON object a sentence, the
surest first.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from pipeline.adapters.onnx import OnnxModel
from pipeline.ports import ModelReading
from training.base import encoder_of, read_base, tokenizer_of, trimmed_vocabulary
from training.data import SentenceExample, read_documents, read_split
from training.encode import encode, frame_of
from training.export import export
from training.labels import Labels
from training.model import Reader
from training.scores import read_documents as read_with
from training.train import Recipe, train

_ROOT = Path(__file__).parent.parent
_PIECES = 36_000
_FOUND, _MISSED, _NAME = 0.5, 0.1, 0.9
"""Raw confidences: an event counts as found from the first on, as missed below the second; a name from the third on."""


def folds(names: Sequence[str], count: int) -> list[set[str]]:
    """Return `count` sets of document ids, drawn by hash so that no order matters."""
    out: list[set[str]] = [set() for _ in range(count)]
    for name in names:
        out[int(sha256(name.encode()).hexdigest(), 16) % count].add(name)
    return out


def disagreement(example: SentenceExample, reading: ModelReading) -> dict[str, Any] | None:
    """Return how far the labels of a sentence and a reading lie apart; None where they agree."""
    sure = {each.type: round(each.confidence, 2) for each in reading.events}
    gold = {each.type for each in example.events}
    only_model = {kind: p for kind, p in sure.items() if kind not in gold and p >= _FOUND}
    only_label = {kind: sure.get(kind, 0.0) for kind in gold if sure.get(kind, 0.0) < _MISSED}
    named = {(each.start, each.end, each.type) for each in reading.entities if each.confidence >= _NAME}
    everything = {(each.start, each.end, each.type) for each in reading.entities}
    new_names = sorted(named - set(example.entities))
    lost_names = sorted(set(example.entities) - everything) if new_names else []
    if not (only_model or only_label or new_names):
        return None
    return {
        "document": example.document,
        "start": example.start,
        "text": example.text,
        "labels": [_told(example, e.type, e.trigger, e.status) for e in example.events],
        "model": [_told(example, e.type, e.trigger, e.status) for e in reading.events if e.confidence >= _FOUND],
        "only_model": only_model,
        "only_label": only_label,
        "names_of_model": [(example.text[a:b], kind) for a, b, kind in new_names],
        "names_of_labels": [(example.text[a:b], kind) for a, b, kind in lost_names],
        "distance": max([*only_model.values(), *(1 - p for p in only_label.values()), 0.0]),
    }


def _told(example: SentenceExample, kind: str, trigger: tuple[int, int], status: str) -> str:
    return f"{kind} {status} | {example.text[trigger[0] : trigger[1]]}"


def _fold(
    documents: Mapping[str, Sequence[SentenceExample]], held_out: set[str], recipe: Recipe, layers: int, scratch: Path
) -> Iterator[dict[str, Any]]:
    rest = [d for name, d in documents.items() if name not in held_out]
    labels = Labels.of_ontology()
    base = read_base()
    keep = trimmed_vocabulary(base, [e.text for d in rest for e in d], _PIECES)
    tokenizer = tokenizer_of([(base.pieces[i], base.scores[i]) for i in keep])
    data = [[encode(e, tokenizer, labels) for e in d] for d in rest]
    scratch.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = Reader(encoder_of(base, keep, layers), labels)
    model = train(model, data, frame_of(tokenizer), labels, recipe, scratch / "checkpoint.pt")
    export(model, tokenizer, labels, scratch / "model", "fold", data)
    config = json.loads((scratch / "model" / "config.json").read_text(encoding="utf-8"))
    config["thresholds"] |= {"event": dict.fromkeys(labels.modes_of, 0.02), "second": 2.0}
    (scratch / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    read = [d for name, d in documents.items() if name in held_out]
    for example, reading in read_with(OnnxModel(scratch / "model", threads=2), read):
        if found := disagreement(example, reading):
            yield found


def main() -> None:
    """Train a model a fold and write the disagreements."""
    parser = argparse.ArgumentParser(prog="python -m training.crosscheck", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DEPECHE_DATA", "../shared/data")))
    parser.add_argument("--scratch", type=Path, default=_ROOT / ".depeche" / "crosscheck")
    parser.add_argument("--out", type=Path, default=_ROOT / ".depeche" / "crosscheck" / "disagreements.jsonl")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(2)
    test = read_split().test
    documents = {name: d for name, d in read_documents(options.data).items() if name not in test}
    recipe = Recipe(epochs=options.epochs, cycles=0)
    found: list[dict[str, Any]] = []
    for n, held_out in enumerate(folds(sorted(documents), options.folds), 1):
        print(f"fold {n} of {options.folds}: {len(held_out)} documents to be read", flush=True)
        found += _fold(documents, held_out, recipe, options.layers, options.scratch / f"fold-{n}")
    found.sort(key=lambda each: -each["distance"])
    options.out.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in found), encoding="utf-8")
    print(f"{len(found)} sentences to read again in {options.out}")


if __name__ == "__main__":
    main()
