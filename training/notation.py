"""Annotated texts in a notation a person writes and reads, one sentence a line:

    ### x1-001 2024-03-12
    titre| [Mauritanie]L : la cheffe de la diplomatie sénégalaise reçue à [Nouakchott]L
      * CONSULT visit | reçue | a: cheffe de la diplomatie sénégalaise | p: Nouakchott
    corps| La ministre, [Yacine Ndoye Fall]P, arrivera [le 22 avril]D.

An entity is `[text]` and the letter of its type. An event follows its sentence: type, mode and status (each only
where it is not the usual one), then the trigger, then `a:` actors, `r:` recipients, `p:` places, `d:` date and
`c:` contexts, several of a kind parted by `;`. A span is its text, found in the sentence; `text#2` is its second
occurrence; `text =SEN GOV` adds a participant's country and sectors where they were decided. Nothing can be said
that does not slice the text, so offsets are never written by hand.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from training.ontology import facts

LETTERS = {
    "P": "Person",
    "O": "Organization",
    "L": "Location",
    "E": "Event",
    "X": "Product",
    "D": "Date",
    "T": "Hour",
}
KINDS = ("titre", "chapô", "intertitre", "corps", "légende", "dateline")
STATUSES = ("asserted", "future", "hypothetical", "negated", "historical")
_HEADING = re.compile(r"### (\S+) (\d{4}-\d\d-\d\d)$")
_ENTITY = re.compile(r"\[([^\[\]]+)\](.?)")
_COUNTRY = re.compile(r"[A-Z]{3}$")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?(/\d{4}(-\d\d(-\d\d)?)?)?$")


class Fault(NamedTuple):
    """What is wrong, and where."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


class Texts(NamedTuple):
    """Documents in the form of `press-fr.jsonl`, and what could not be read."""

    documents: list[dict[str, Any]]
    faults: list[Fault]


def read_texts(path: Path) -> Texts:
    """Return the documents of one file. A line that breaks a rule is a fault, and left out."""
    documents: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            if not line.strip():
                continue
            if heading := _HEADING.match(line):
                documents.append(
                    {"id": heading[1], "date": heading[2], "text": "", "sentences": [], "entities": [], "events": []}
                )
            elif not documents:
                raise ValueError("no document begins before this line: ### id date")
            elif line.lstrip().startswith("*"):
                documents[-1]["events"].append(_event(line.strip()[1:], documents[-1]))
            else:
                _add_sentence(line, documents[-1])
        except (ValueError, IndexError) as broken:  # an event before its sentence has none to belong to
            faults.append(Fault(path.name, number, str(broken)))
    return Texts(documents, faults)


def _add_sentence(line: str, document: dict[str, Any]) -> None:
    kind, bar, marked = line.partition("|")
    if not bar or kind.strip() not in KINDS:
        raise ValueError(f"a sentence starts with its kind and |, one of {', '.join(KINDS)}")
    entities: list[tuple[int, int, str]] = []
    text = ""
    last = 0
    marked = marked.strip()
    for found in _ENTITY.finditer(marked):
        if found[2] not in LETTERS:
            raise ValueError(f"[{found[1]}] is followed by {found[2]!r}, not by one of {' '.join(LETTERS)}")
        text += marked[last : found.start()]
        entities.append((len(text), len(text) + len(found[1]), LETTERS[found[2]]))
        text += found[1]
        last = found.end()
    text += marked[last:]
    if "[" in text or "]" in text:
        raise ValueError("a bracket without its partner")
    if len(text) < 2:
        raise ValueError("an empty sentence")
    before = document["sentences"][-1]["kind"] if document["sentences"] else ""
    if before:
        same_paragraph = before == kind.strip() == "corps" or before == "dateline"
        document["text"] += " " if same_paragraph else "\n\n"
    start = len(document["text"])
    document["text"] += text
    document["sentences"].append({"start": start, "end": start + len(text), "kind": kind.strip()})
    document["entities"] += [{"start": start + a, "end": start + b, "label": label} for a, b, label in entities]


def _event(line: str, document: dict[str, Any]) -> dict[str, Any]:
    coding, trigger, *rest = (part.strip() for part in line.split("|"))
    kind, *words = coding.split()
    if kind not in facts()["types"]:
        raise ValueError(f"{kind} is no PLOVER type")
    mode, status = None, "asserted"
    for word in words:
        if word in STATUSES:
            status = word
        elif word in facts()["types"][kind]["modes"]:
            mode = word
        else:
            raise ValueError(f"{word} is neither a status nor a mode of {kind}")
    sentence = document["sentences"][-1]
    parts: dict[str, list[str]] = {"a": [], "r": [], "p": [], "d": [], "c": []}
    for part in rest:
        key, colon, value = part.partition(":")
        if not colon or key.strip() not in parts:
            raise ValueError(f"{part!r} is none of a: r: p: d: c:")
        parts[key.strip()] += [each.strip() for each in value.split(";") if each.strip()]
    for name in parts["c"]:
        if name not in facts()["contexts"]:
            raise ValueError(f"{name} is no PLOVER context")
    for value in parts["d"]:
        if not _DATE.match(value):
            raise ValueError(f"{value} is no ISO date, month, year or range")
    spans = {key: [_participant(each, document, sentence) for each in parts[key]] for key in "arp"}
    start, end = _span(trigger, document, sentence).values()
    return {
        "sentence": len(document["sentences"]) - 1,
        "type": kind,
        "mode": mode,
        "status": status,
        "contexts": parts["c"],
        "trigger": [[start, end]],
        "actors": spans["a"],
        "recipients": spans["r"],
        "places": spans["p"],
        "date": parts["d"][0] if parts["d"] else None,
    }


def _participant(quoted: str, document: dict[str, Any], sentence: dict[str, Any]) -> dict[str, Any]:
    words, equals, told = quoted.partition(" =")
    out: dict[str, Any] = _span(words.strip(), document, sentence)
    if not equals:
        return out
    codes = told.split()
    sectors = [code for code in codes if code in facts()["sectors"]]
    countries = [code for code in codes if code not in sectors]
    if len(countries) > 1 or not all(_COUNTRY.match(code) for code in countries):
        raise ValueError(f"{told!r} is not a country's three letters and PLOVER sectors")
    return out | {"country": countries[0] if countries else None, "sector": sectors}


def _span(quoted: str, document: dict[str, Any], sentence: dict[str, Any]) -> dict[str, int]:
    text, _, nth = quoted.partition("#")
    at = sentence["start"] - 1
    for _ in range(int(nth or 1)):
        at = document["text"].find(text, at + 1, sentence["end"])
        if at < 0 or not text:
            raise ValueError(f"{quoted!r} is not in its sentence")
    before, after = document["text"][at - 1 : at], document["text"][at + len(text) : at + len(text) + 1]
    if (before.isalnum() and text[0].isalnum()) or (after.isalnum() and text[-1].isalnum()):
        raise ValueError(f"{quoted!r} is not a whole word of its sentence")
    return {"start": at, "end": at + len(text)}


def _doubled(documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield documents and longer sentences that stand there twice."""
    ids = Counter(d["id"] for d in documents)
    yield from (f"document {name} is there {n} times" for name, n in ids.items() if n > 1)
    sentences = Counter(d["text"][s["start"] : s["end"]] for d in documents for s in d["sentences"])
    yield from (f"sentence {n} times: {text}" for text, n in sentences.items() if n > 1 and len(text) > 40)


def check(paths: list[Path]) -> int:
    """Print every fault and what there is; return the number of faults."""
    documents: list[dict[str, Any]] = []
    faults: list[str] = []
    for path in paths:
        found = read_texts(path)
        documents += found.documents
        faults += map(str, found.faults)
    faults += _doubled(documents)
    for fault in faults:
        print(fault)
    with_event = {(d["id"], e["sentence"]) for d in documents for e in d["events"]}
    print(f"{len(documents)} texts, {sum(len(d['sentences']) for d in documents)} sentences, {len(with_event)} of them")
    print(f"with an event, {sum(len(d['entities']) for d in documents)} entities, {len(faults)} faults")
    print(dict(Counter(e["type"] for d in documents for e in d["events"]).most_common()))
    print(dict(Counter(e["status"] for d in documents for e in d["events"]).most_common()))
    return len(faults)


if __name__ == "__main__":
    sys.exit(min(1, check([Path(name) for name in sys.argv[1:]])))
