"""What an attack is aimed at, where only its place tells: `une attaque de drones a visé Kiev`.

A place may also be a recipient (`training/guidelines.md`, rule 6). It is one where a verb or preposition of aim stands
right before it: `a bombardé`, `a visé`, `frappes sur`, `attaque contre`. `Une frappe en Syrie` aims at somebody
unnamed.
"""

import re
from collections.abc import Iterable

from pipeline.ports import Span

_ENDINGS = r"(?:e|es|ent|é|és|ée|ées|er|ait|aient|ant|a|èrent|era|eront)"
_WEAPONS = (
    r"(?:attaques?|frappes?|raids?|tirs?|drones?|missiles?|roquettes?|bombes?|bombardements?|offensive|assaut|pluie)"
)
_AIM = re.compile(
    rf"\b(?:(?:vis|cibl|bombard|frapp|(?<!['’])attaqu|pilonn|harc[eèé]l|assi[eéè]ge?|touch){_ENDINGS}"
    r"|envahi(?:t|s|e|r|ssent|ssait|ssant)?"
    rf"|{_WEAPONS}\s(?:(?!et\b|sont\b|ont\b|a\b|porte|vol)[\w'’-]+\s){{0,3}}?(?:contre|sur))\s"
    r"(?:l['’]|(?:le|la|les)\s)?"
    r"(?:(?:port|ville|capitale|aéroport|région|quartiers?)\s(?:international\s)?(?:de\s(?:la\s|l['’])?|du\s|d['’]))?$",
    re.IGNORECASE,
)
_REACH = 90


def aimed_at(sentence: str, places: Iterable[Span]) -> tuple[Span, ...]:
    """Return those places of a sentence's attack that it is aimed at; spans are of the sentence."""
    return tuple(place for place in places if _AIM.search(sentence, max(0, place.start - _REACH), place.start))
