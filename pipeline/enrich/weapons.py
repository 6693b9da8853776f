"""With what: the mode of an ASSAULT by the weapon its sentence names, where it names one kind only."""

import re
from functools import cache

from pipeline.enrich import tables
from pipeline.enrich.gazetteer import folded


def mode_by_weapon(sentence: str) -> str | None:
    """Return PLOVER's mode for the one kind of weapon or act the words name; None for none or several."""
    plain = folded(sentence)
    found = [mode for mode, pattern in _patterns() if pattern.search(plain)]
    return found[0] if len(found) == 1 else None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((mode, re.compile(rf"(?<!\w)(?:{pattern})")) for mode, pattern, _ in tables.rows("weapons.tsv", 3))
