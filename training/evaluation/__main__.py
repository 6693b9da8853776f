"""`make eval`: print the report, and write it with its pictures into .depeche/eval/."""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.adapters.onnx import OnnxModel
from training.data import Document, examples, raw_press, raw_wikinews, read_split
from training.evaluate import labels_hash
from training.evaluation import curves, page, report
from training.evaluation.articles import measure
from training.evaluation.peers import ask
from training.evaluation.times import gold_times, measure_times
from training.scores import Pair, event_confidences, names_in, read_documents

_ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure the shipped model on the held-out parts, beside the peers."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DEPECHE_DATA", "../shared/data")))
    parser.add_argument("--model", type=Path, default=_ROOT / "models" / "fr-news-small")
    parser.add_argument("--out", type=Path, default=_ROOT / ".depeche" / "eval")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    split = read_split()
    raw = raw_press()
    try:
        raw += raw_wikinews(options.data)
    except FileNotFoundError as absent:
        print(f"Without the Wikinews part: {absent}")
    test = [d for d in raw if d["id"] in split.test]
    train = [d for d in raw if d["id"] not in split.test | split.dev]
    model = OnnxModel(options.model)
    parts = {
        "Wikinews, held out": [d for d in test if not d["id"].startswith("press")],
        "our press texts, held out": [d for d in test if d["id"].startswith("press")],
    }
    info = model.info
    head = f"{info.name} {info.version} ({info.sha256[:12]}), test labels {labels_hash(examples(test))[:12]}"
    print(head)
    tables: dict[str, Sequence[report.Row]] = {}
    shown: dict[str, page.Pictures] = {}
    for name, documents in parts.items():
        if documents:
            print(f"measuring: {name}", flush=True)
            tables[name], shown[name] = _one_set(model, options.model, documents, train)
    told = report.text(tables)
    print(told)
    (options.out / "report.txt").write_text(f"{head}\n{told}", encoding="utf-8")
    (options.out / "report.html").write_text(page.render(head, tables, shown), encoding="utf-8")
    print(f"with pictures: {options.out / 'report.html'}")


def _one_set(
    model: OnnxModel, folder: Path, documents: Sequence[Document], train: Sequence[Document]
) -> tuple[Sequence[report.Row], page.Pictures]:
    test = list(examples(documents).values())
    known = list(examples(train).values())
    began = time.perf_counter()
    pairs = read_documents(model, test)
    seconds = time.perf_counter() - began
    asked = ask(test, known, documents)
    theirs: Mapping[str, Sequence[Pair]] = {**asked.spacy, "tfidf": asked.tfidf}
    whole, times = measure(model, documents), measure_times(documents, gold_times())
    table = report.rows(pairs, whole, times, theirs, asked, names_in(known))
    speed = {"ours": len(pairs) / seconds} | {n: len(pairs) / s for n, s in asked.spacy_seconds.items()}
    table += [
        report.Row(
            "sentences a second, one core",
            f"{speed['ours']:.0f}",
            {name: f"{value:.0f}" for name, value in speed.items() if name != "ours"},
            "",
        )
    ]
    every = read_documents(_without_thresholds(folder), test)
    pictures = page.Pictures(
        types=report.type_rows(pairs),
        confusion=curves.confusion(pairs),
        curves={kind: curves.precision_recall(every, kind) for kind, *_ in report.type_rows(pairs)},
        reliability=curves.reliability(event_confidences(every)),
        errors=_errors(pairs),
    )
    return table, pictures


def _without_thresholds(folder: Path) -> OnnxModel:
    """Return the same model with every finding reported, however unsure."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / folder.name
        shutil.copytree(folder, copy)
        config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
        config["thresholds"] |= {"event": dict.fromkeys(config["modes_of"], 0.02), "second": 2.0}
        (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return OnnxModel(copy)


def _errors(pairs: Sequence[Pair]) -> list[page.Error]:
    """Return the sentences whose types are not as gold has them, the surest mistakes first."""
    out = []
    for example, reading in pairs:
        gold = sorted(e.type for e in example.events)
        found = sorted(e.type for e in reading.events)
        if gold != found:
            surest = max((e.confidence for e in reading.events if e.type not in gold), default=0.0)
            out.append(page.Error(example.text, gold, found, surest))
    return sorted(out, key=lambda each: -each.confidence)


if __name__ == "__main__":
    main()
