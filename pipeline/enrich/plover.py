"""PLOVER 2.0: what a type, mode and status are worth, and the rules that hold for every event.

The ontology's facts are `data/plover.json` (openeventdata/PLOVER, CC BY-SA 4.0, © Open Event Data Alliance);
the way back to CAMEO is `data/cameo.tsv` and `data/goldstein.tsv`.
"""

from functools import cache
from typing import Literal, NamedTuple, get_args

import msgspec

from pipeline.enrich import tables

Status = Literal["asserted", "future", "hypothetical", "negated", "historical"]

# A thing announced is itself a verbal act: the manual's rule for types that describe cooperation.
_ANNOUNCED = {
    "CONSULT": "AGREE",
    "SUPPORT": "AGREE",
    "COOPERATE": "AGREE",
    "AID": "AGREE",
    "RETREAT": "CONCEDE",
}


class _Type(msgspec.Struct, frozen=True):
    quad: int
    score: float
    modes: dict[str, float | None]


class _Ontology(msgspec.Struct, frozen=True):
    types: dict[str, _Type]
    contexts: dict[str, str]
    sectors: tuple[str, ...]
    nonstate_country_codes: dict[str, str]


class Coding(NamedTuple):
    """How an event is filed: its type and mode, whether it happened, and the scales it is measured on."""

    type: str
    mode: str | None
    status: Status
    quad_class: int
    score: float
    cameo_root: str | None
    goldstein: float | None


@cache
def ontology() -> _Ontology:
    """Return the facts of PLOVER 2.0."""
    return msgspec.json.decode(tables.text("plover.json"), type=_Ontology)


def code(type_: str, mode: str | None, status: str) -> Coding:
    """Return the filing of an event. Raises ValueError when PLOVER has no such type or status.

    A mode that the type does not have is left out. A future CONSULT, SUPPORT, COOPERATE or AID is an AGREE
    and a future RETREAT a CONCEDE, both asserted (PLOVER manual 2024).
    """
    known = _status(status)
    if type_ not in ontology().types:
        raise ValueError(f"PLOVER has no event type {type_!r}")
    if known == "future" and type_ in _ANNOUNCED:
        type_, mode, known = _ANNOUNCED[type_], None, "asserted"
    facts = ontology().types[type_]
    mode = mode if mode in facts.modes else None
    of_mode = facts.modes.get(mode) if mode else None
    root = _cameo().get((type_, mode or "")) or _cameo().get((type_, ""))
    return Coding(
        type=type_,
        mode=mode,
        status=known,
        quad_class=facts.quad,
        score=facts.score if of_mode is None else of_mode,
        cameo_root=root,
        goldstein=_goldstein()[root] if root else None,
    )


def known_contexts(contexts: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `contexts` that PLOVER has, each once, in their order."""
    return tuple(dict.fromkeys(each for each in contexts if each in ontology().contexts))


def _status(status: str) -> Status:
    statuses: dict[str, Status] = {each: each for each in get_args(Status)}
    if status not in statuses:
        raise ValueError(f"no event status is called {status!r}")
    return statuses[status]


@cache
def _cameo() -> dict[tuple[str, str], str]:
    return {(type_, mode): root for type_, mode, root in tables.rows("cameo.tsv", 3)}


@cache
def _goldstein() -> dict[str, float]:
    return {root: float(value) for root, value in tables.rows("goldstein.tsv", 2)}
