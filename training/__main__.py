"""`python -m training`: base → data → train → quantise → calibrate → scores, resuming where it was cut."""

import argparse
import os
from pathlib import Path

import torch

from training.base import encoder_of, read_base, tokenizer_of, trimmed_vocabulary
from training.calibrate import calibrate
from training.data import read_documents, read_split
from training.encode import encode, frame_of
from training.evaluate import report
from training.export import export
from training.labels import Labels
from training.model import Reader
from training.train import Recipe, train

_ROOT = Path(__file__).parent.parent
_PIECES = 36_000


def main() -> None:
    """Train, export and score the default model."""
    parser = argparse.ArgumentParser(prog="python -m training", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DEPECHE_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=_ROOT / "models" / "fr-news-small")
    parser.add_argument("--scratch", type=Path, default=_ROOT / ".depeche" / "training")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--cycles", type=int, default=Recipe.cycles, help="further short runs that enter the mean")
    parser.add_argument("--limit", type=int, default=None, help="documents, for a quick try")
    parser.add_argument("--version", default="0.3.0")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    torch.manual_seed(Recipe.seed)

    split = read_split()
    try:
        documents = read_documents(options.data)
    except FileNotFoundError as absent:
        raise SystemExit(str(absent)) from absent
    wanted = {name: d for name, d in documents.items() if name not in split.test | split.dev}
    labels = Labels.of_ontology()
    base = read_base()
    keep = trimmed_vocabulary(base, [e.text for d in wanted.values() for e in d], _PIECES)
    tokenizer = tokenizer_of([(base.pieces[i], base.scores[i]) for i in keep])
    model = Reader(encoder_of(base, keep, options.layers), labels)
    data = [[encode(e, tokenizer, labels) for e in d] for d in wanted.values()][: options.limit]
    print(f"{sum(map(len, data))} sentences of {len(data)} documents, test split {split.hash[:12]}", flush=True)
    recipe = Recipe(epochs=options.epochs, cycles=options.cycles)
    model = train(model, data, frame_of(tokenizer), labels, recipe, options.scratch / "checkpoint.pt")
    export(model, tokenizer, labels, options.out, options.version, data)
    calibrate(options.out, [d for name, d in documents.items() if name in split.dev])
    report(options.out, {name: d for name, d in documents.items() if name in split.test}, wanted, split.hash)


if __name__ == "__main__":
    main()
