"""From annotated articles to training sentences, and the split that was fixed before any training.

Our own texts, with their labels, are `training/press/*.txt` (see `notation.py`). Of the Wikinews articles only what
we annotated is here, stand-off, in `training/wikinews/events.jsonl`; their text and entities are read from
`winer-fr.dev.jsonl` in the folder `DEPECHE_DATA`. Offsets are code points.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.notation import read_texts

Document = dict[str, Any]
"""One annotated text: id, date, text, sentences, entities, events, as `notation.read_texts` gives it."""
ENTITY_TYPES = {
    "Person": "PER",
    "Organization": "ORG",
    "Location": "LOC",
    "Event": "EVENT",
    "Product": "PRODUCT",
    "Date": "DATE",
    "Hour": "TIME",
}
STATUSES = ("asserted", "future", "hypothetical", "negated", "historical")
ROLES = ("actor", "recipient", "place")
TICKERS = frozenset({"2018_12_08-001", "2018_12_15-001", "2018_12_22-001"})
"""Live tickers of one story; they hold a seventh of all events and would drown the rest."""
_TICKER_SENTENCES = 60
_HERE = Path(__file__).parent
_SPLITS = _HERE / "splits"


@dataclass(frozen=True)
class EventExample:
    type: str
    mode: str | None
    status: str
    contexts: tuple[str, ...]
    trigger: tuple[int, int]
    arguments: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class SentenceExample:
    """One sentence with its labels; offsets are relative to `text`, which starts at `start` of its document."""

    document: str
    start: int
    text: str
    entities: tuple[tuple[int, int, str], ...]
    events: tuple[EventExample, ...]


@dataclass(frozen=True)
class Split:
    """Document ids: never trained on (`test`), for thresholds only (`dev`), and the rest."""

    test: frozenset[str]
    dev: frozenset[str]
    hash: str = field(default="")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _outermost(entities: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    """Return the entities that no longer one contains."""
    out: list[tuple[int, int, str]] = []
    for e in sorted(entities, key=lambda e: (e["start"], -e["end"])):
        if not out or e["start"] >= out[-1][1]:
            out.append((e["start"], e["end"], ENTITY_TYPES[e["label"]]))
    return out


def _event(raw: dict[str, Any], start: int, end: int) -> EventExample | None:
    a, b = raw["trigger"][0]
    if not (start <= a < b <= end):
        return None
    arguments = [
        (role, span["start"] - start, span["end"] - start)
        for role, key in (("actor", "actors"), ("recipient", "recipients"), ("place", "places"))
        for span in raw[key]
        if start <= span["start"] < span["end"] <= end
    ]
    return EventExample(
        raw["type"], raw["mode"], raw["status"], tuple(raw["contexts"]), (a - start, b - start), tuple(arguments)
    )


def _sentences(
    document: str, text: str, spans: list[tuple[int, int]], entities: list[dict[str, Any]], events: list[dict[str, Any]]
) -> list[SentenceExample]:
    whole = _outermost(entities)
    by_sentence: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        by_sentence[event["sentence"]].append(event)
    out = []
    for index, (start, end) in enumerate(spans):
        inside = tuple((a - start, b - start, t) for a, b, t in whole if start <= a and b <= end)
        found = [e for raw in by_sentence[index] if (e := _event(raw, start, end))]
        out.append(SentenceExample(document, start, text[start:end], inside, tuple(found)))
    return out


def read_documents(folder: Path) -> dict[str, list[SentenceExample]]:
    """Return the sentences of every document by its id, in order; tickers capped.

    Raises FileNotFoundError with the remedy where the Wikinews text is not in `folder`.
    """
    return examples(raw_wikinews(folder)) | read_press()


def read_press() -> dict[str, list[SentenceExample]]:
    """Return our own press texts. Raises ValueError where one breaks the notation."""
    return examples(raw_press())


def raw_wikinews(folder: Path) -> list[Document]:
    """Return the annotated Wikinews articles, whose text is not ours to ship. Raises FileNotFoundError."""
    corpus = folder / "winer-fr.dev.jsonl"
    if not corpus.is_file():
        raise FileNotFoundError(
            f"{corpus} is not there: get WiNER-fr from its author (training/README.md says how) and set DEPECHE_DATA"
        )
    texts = {d["id"]: d for d in _lines(corpus)}
    out = []
    for d in _lines(_HERE / "wikinews" / "events.jsonl"):
        source = texts[d["id"]]
        spans = [{"start": a, "end": b} for a, b in d["sentences"]]
        if d["id"] in TICKERS:
            spans = spans[:_TICKER_SENTENCES]
        events = [e for e in d["events"] if e["sentence"] < len(spans)]
        out.append(source | {"sentences": spans, "events": events})
    return out


def raw_press() -> list[Document]:
    """Return our own press texts in the form of a Wikinews article."""
    out = []
    for path in sorted((_HERE / "press").glob("*.txt")):
        found = read_texts(path)
        if found.faults:
            raise ValueError(f"{found.faults[0]} (and {len(found.faults) - 1} more: make annotations)")
        out += found.documents
    return out


def examples(documents: Sequence[Document]) -> dict[str, list[SentenceExample]]:
    """Return the labelled sentences of each document by its id, in order."""
    return {
        d["id"]: _sentences(
            d["id"], d["text"], [(s["start"], s["end"]) for s in d["sentences"]], d["entities"], d["events"]
        )
        for d in documents
    }


def _draw(ids: list[str], share: float, salt: str) -> list[str]:
    """Return a fixed share of the ids, chosen by hash so that no order or seed matters."""
    ranked = sorted(ids, key=lambda i: hashlib.sha256(f"{salt}{i}".encode()).hexdigest())
    return ranked[: round(len(ids) * share)]


def draw_split(ids: list[str]) -> dict[str, list[str]]:
    """Return test and dev ids: 15 % + 8 % of the Wikinews articles month by month, outside December 2018,
    and 10 % + 6 % of the press texts group by group."""
    strata: dict[str, list[str]] = defaultdict(list)
    for i in ids:
        if not i.startswith("2018_12"):
            strata[i[:8] if i.startswith("press") else i[:7]].append(i)
    out: dict[str, list[str]] = {"test": [], "dev": []}
    for name, members in sorted(strata.items()):
        test_share, dev_share = (0.10, 0.06) if name.startswith("press") else (0.15, 0.08)
        test = _draw(members, test_share, "test")
        out["test"] += test
        out["dev"] += _draw([m for m in members if m not in test], dev_share, "dev")
    return {name: sorted(members) for name, members in out.items()}


def read_split() -> Split:
    """Return the committed split; `hash` is the SHA-256 of the list of test ids."""
    test = (_SPLITS / "test_ids.txt").read_bytes()
    dev = (_SPLITS / "dev_ids.txt").read_text().split()
    return Split(frozenset(test.decode().split()), frozenset(dev), hashlib.sha256(test).hexdigest())


def write_split(folder: Path) -> None:
    """Draw the split once; refuses to draw it again, since scores would no longer mean the same."""
    _SPLITS.mkdir(exist_ok=True)
    if (_SPLITS / "test_ids.txt").exists():
        raise FileExistsError("the split is fixed: training/splits/ exists")
    ids = sorted(read_documents(folder))
    for name, members in draw_split(ids).items():
        (_SPLITS / f"{name}_ids.txt").write_text("\n".join(members) + "\n")
