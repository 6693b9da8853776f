"""Which of the things a model found in one sentence are events of their own."""

import re
from collections.abc import Sequence

from msgspec.structs import replace

from pipeline.ports import EventSpan, Span

# `depuis le début de l'invasion`: a war that only says since when. In the annotated articles outside the test part none
# of 10 such nouns is an event; an attack or a murder told so, with its place, is one.
_SINCE = re.compile(
    r"\bdepuis (?:(?:le|la) (?:début|déclenchement|lancement|fin) (?:de |d['’]|du ))?"
    r"(?:l['’]|la |le |les |cette |ce |son |sa )?$",
    re.IGNORECASE,
)
_WAR = re.compile(r"(?:invasion|guerre|conflit|putsch|agression|annexion)\b", re.IGNORECASE)
# `ont commencé à livrer`: the deed is the infinitive.
_BEGINS = re.compile(
    r"(?:(?:a|ont|avait|avaient)\s)?(?:(?:re)?commenc|continu)(?:é|e|ent|er|ait|aient|era|eront)", re.IGNORECASE
)
_TO = re.compile(r"\s(?:à\s|de\s|d['’])(?:[a-zéè]+\s|s['’]){0,2}")
_BEGUN = re.compile(rf"{_TO.pattern}(?P<deed>\w+(?:er|ir|re))\b")

# `des missiles pour frapper les dépôts`: what is meant to be done. In the annotated articles outside the test part none
# of 12 such infinitives of assault is an event.
_MEANT = re.compile(
    r"\b(?:pour|afin (?:de|d['’])|capables? (?:de|d['’])|de quoi|visant à)\s?"
    r"(?:mieux |le |la |les |y |l['’])?$",
    re.IGNORECASE,
)
# `plus prudents que Kiev ne l'aurait voulu`: what is only compared with. In the annotated articles outside the test
# part none of eight such clauses holds an event.
_THAN = re.compile(
    r"(?:\bplus|(?<!à )\bmoins|\bmieux|\bpires?)(?: [\w'’-]+){0,3} "
    r"(?P<than>qu(?:e |['’])(?:[\w'’-]+ ){0,5}?(?:ne |n['’])(?:l['’]|le |en )?(?!\w+ (?:pas|plus|jamais|rien|aucun))"
    r"(?:(?:a|ont|avai(?:t|ent)|aurai(?:t|ent)|est|sont|étai(?:t|ent)) )?\w+)",
    re.IGNORECASE,
)
# A trigger is a predicate, and whose something is, is none: `leur propre`. No gold trigger is one.
_WHOSE = re.compile(r"(?:(?:leurs?|s(?:on|a|es)|notre|nos|votre|vos|m(?:on|a|es))\s?)?(?:propres?)?", re.IGNORECASE)
_INFINITIVE = re.compile(r"\w+(?:er|ir|re)\b")


def own_events(sentence: str, found: Sequence[EventSpan]) -> list[EventSpan]:
    """Return the events of a sentence, each once; no war that only marks a time, no verb that only begins a deed,
    no assault that is only a purpose, nothing that is only compared with, and no trigger that is no predicate."""
    compared = [match.span("than") for match in _THAN.finditer(sentence)]
    return told_once(
        [
            _with_its_deed(sentence, each)
            for each in found
            if not (
                _marks_time(sentence, each)
                or _begins(sentence, each, found)
                or _is_meant(sentence, each)
                or any(start <= each.trigger.start < end for start, end in compared)
                or _WHOSE.fullmatch(sentence, each.trigger.start, each.trigger.end)
            )
        ]
    )


def _marks_time(sentence: str, event: EventSpan) -> bool:
    start = event.trigger.start
    return bool(_WAR.match(sentence, start, event.trigger.end) and _SINCE.search(sentence, max(0, start - 45), start))


def _is_meant(sentence: str, event: EventSpan) -> bool:
    start = event.trigger.start
    infinitive = _INFINITIVE.match(sentence, start, event.trigger.end)
    return bool(event.type == "ASSAULT" and infinitive and _MEANT.search(sentence, max(0, start - 25), start))


def _begins(sentence: str, event: EventSpan, others: Sequence[EventSpan]) -> bool:
    if not _BEGINS.fullmatch(sentence, event.trigger.start, event.trigger.end):
        return False
    behind = (each.trigger for each in others if each.trigger.start > event.trigger.end)
    return any(_TO.fullmatch(sentence, event.trigger.end, deed.start) for deed in behind)


def _with_its_deed(sentence: str, event: EventSpan) -> EventSpan:
    """Return the event with the infinitive for its trigger where the model gave it the verb that only begins it."""
    deed = _BEGUN.match(sentence, event.trigger.end)
    if deed is None or not _BEGINS.fullmatch(sentence, event.trigger.start, event.trigger.end):
        return event
    return replace(event, trigger=Span(*deed.span("deed")))


def told_once(events: Sequence[EventSpan]) -> list[EventSpan]:
    """Return the events of a sentence, those of one type with the same participants as one (rule 3 of the guidelines):
    `une attaque de drones a visé Kiev` is one, and its trigger the first."""
    out: list[EventSpan] = []
    for event in events:
        same = next((n for n, earlier in enumerate(out) if _is_same(earlier, event)), None)
        if same is None:
            out.append(event)
        else:
            first = out[same]
            out[same] = replace(
                first,
                actors=tuple(sorted({*first.actors, *event.actors})),
                recipients=tuple(sorted({*first.recipients, *event.recipients} - {*first.actors, *event.actors})),
                places=tuple(sorted({*first.places, *event.places})),
            )
    return out


def _is_same(one: EventSpan, other: EventSpan) -> bool:
    """Tell whether two findings can be one event: alike in type and mode, with an actor in common and no recipient
    that differs, or, where one has no actor, with a recipient in common."""
    if one.type != other.type or (one.mode and other.mode and one.mode != other.mode):
        return False
    common = set(one.recipients) & set(other.recipients)
    if one.actors and other.actors:
        apart = bool(one.recipients and other.recipients) and not common
        return bool(set(one.actors) & set(other.actors)) and not apart
    return bool(common)
