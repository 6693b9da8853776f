"""`python -m training`: base → data → train → quantise → thresholds → scores, resuming where it was cut."""

import argparse
import os
from pathlib import Path

import torch

from training.base import encoder_of, read_base, tokenizer_of, trimmed_vocabulary
from training.data import read_examples, read_split
from training.evaluate import choose_thresholds, report
from training.export import export
from training.model import Labels, Reader
from training.train import Recipe, encode, train

_ROOT = Path(__file__).parent.parent


def main() -> None:
    """Train, export and score the default model."""
    parser = argparse.ArgumentParser(prog="python -m training", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DEPECHE_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=_ROOT / "models" / "fr-news-small")
    parser.add_argument("--scratch", type=Path, default=_ROOT / ".depeche" / "training")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--limit", type=int, default=None, help="sentences, for a quick try")
    parser.add_argument("--version", default="0.1.0")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    torch.manual_seed(Recipe.seed)

    split = read_split()
    examples = read_examples(options.data)
    wanted = [e for e in examples if e.document not in split.test | split.dev]
    labels = Labels.of_ontology()
    base = read_base()
    keep = trimmed_vocabulary(base, [e.text for e in wanted], 36_000)
    tokenizer = tokenizer_of([(base.pieces[i], base.scores[i]) for i in keep])
    model = Reader(encoder_of(base, keep, options.layers), labels)
    data = [encode(e, tokenizer, labels) for e in wanted if e.text.strip()][: options.limit]
    print(f"{len(data)} sentences to train on, {len(keep)} pieces, test split {split.hash[:12]}", flush=True)
    train(model, data, Recipe(epochs=options.epochs), options.scratch / "checkpoint.pt")
    export(model, tokenizer, labels, options.out, options.version)
    choose_thresholds(options.out, [e for e in examples if e.document in split.dev])
    report(options.out, [e for e in examples if e.document in split.test], split.hash)


if __name__ == "__main__":
    main()
