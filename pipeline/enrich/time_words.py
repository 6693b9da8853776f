"""The words of French time expressions, as patterns and as numbers, and where a sentence points in time."""

import re
from typing import Literal

Direction = Literal[-1, 0, 1]
"""Back, unknown, ahead."""

WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
MONTHS = (
    ("janvier", "janv", "jan"),
    ("février", "fevrier", "févr", "fév"),
    ("mars",),
    ("avril", "avr"),
    ("mai",),
    ("juin",),
    ("juillet", "juil"),
    ("août", "aout"),
    ("septembre", "sept"),
    ("octobre", "oct"),
    ("novembre", "nov"),
    ("décembre", "decembre", "déc"),
)
NUMBERS = (
    *("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"),
    *("treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf", "vingt"),
)
TENS = {"trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60, "octante": 80, "cent": 100, "une": 1}
QUARTERS = {
    "premier": 1,
    "1er": 1,
    "deuxième": 2,
    "second": 2,
    "2e": 2,
    "troisième": 3,
    "3e": 3,
    "quatrième": 4,
    "4e": 4,
}
NEAR_DAYS = {"avant-hier": -2, "hier": -1, "aujourd'hui": 0, "demain": 1, "après-demain": 2}

WEEKDAY = rf"(?:{'|'.join(WEEKDAYS)})"
MONTH = (
    "(?:(?:"
    + "|".join(names[0] for names in MONTHS)
    + r"|aout|fevrier|decembre)\b|(?:"
    + ("|".join(name for names in MONTHS for name in names[1:]) + r")\b\.?)")
)
FULL_M = "(?:" + "|".join(names[0] for names in MONTHS) + r"|aout)\b"
YEAR = r"(?:1[5-9]\d\d|20\d\d)(?![\d,.]\d|\d| ?(?:euros|dollars|personnes|%))"
DAY = r"(?:1 ?er|[12]\d|3[01]|0?[1-9])"
_WORDS = "|".join(sorted([*NUMBERS[1:], *TENS], key=len, reverse=True))
NUMBER = rf"(?:\d{{1,3}}|quatre-vingts?(?:-(?:{_WORDS}))?|(?:{_WORDS})(?:[- ](?:et[- ])?(?:{_WORDS}))?)"
PART = (
    r"(?: (?:matin|midi|après-midi|soir"
    r"|(?:dans|en) (?:la |l['’]|début de |fin de )?(?:nuit|matinée|soirée|après-midi)))?"
)
SEASON = r"(?:printemps|été|automne|hiver)"
BEGIN = r"(?:début|mi|fin)"
ABOUT = r"(?:(?:près|plus|moins) de |environ |à peine |tout juste |quelque |bientôt |déjà )?"
ROMAN = r"(?:X{0,2}(?:IX|IV|V?I{0,3}))"
FEASTS = {
    "noël": (12, 25),
    "nouvel an": (1, 1),
    "jour de l'an": (1, 1),
    "saint-valentin": (2, 14),
    "1er-mai": (5, 1),
    "8-mai": (5, 8),
    "14-juillet": (7, 14),
    "assomption": (8, 15),
    "halloween": (10, 31),
    "toussaint": (11, 1),
    "11-novembre": (11, 11),
    "saint-sylvestre": (12, 31),
}

FEAST = "|".join(FEASTS).replace("'", "['’]")

# Verbs that look ahead: the simple future, `aller` and `devoir` with an infinitive, announcements and calls.
_FUTURE = re.compile(
    r"\b(?:aura|saura|ira|[a-zéèêçîïô']+(?:era|ira|dra|vra|rra|ttra|îtra|clura|cra|mpra)|(?!front|affront)[a-zéèêçîïô']+ront"
    r"|(?:va|vont|doit|doivent|devrait|devraient|pourrait|pourraient) "
    r"(?:\w+ )?(?:être |se |s['’]|y |en )?\w+(?:er|ir|re)"
    r"|[Pp]révue?s?|[Aa]ttendue?s?|[Pp]rogrammée?s?|[Ff]ixée?s? (?:à|au)|[Rr]endez-vous"
    r"|à venir|(?<!\ba )(?<!\bont )[Cc]onvoquée?s?|(?<![LlDd]['’])annonce|annoncent|appell?e(?:r|nt|z)?|appelée?s? à"
    r"|devai(?:t|ent)|prévoi(?:t|ent)|veut|veulent|compte (?:\w+ )?\w+(?:er|ir|re)"
    r"|(?:a|ont) (?:lieu|(?:promis|accepté) de)"
    # Calls and plans, and meetings told in the present: those of the day itself bear its own weekday anyway.
    r"|invite(?:nt)?|exhorte(?:nt)?|demande(?:nt)? (?:à|aux?)|promet(?:tent)?|jure(?:nt)?|prépare(?:nt)?|songe(?:nt)?"
    r"|attend(?:ent)?|propose(?:nt)?|organise(?:nt)?|menace(?:nt)?"
    r"|r?ouvre(?:nt)?|débute(?:nt)?|commence(?:nt)?|repren(?:d|nent)|affronte(?:nt)?|accueille(?:nt)?"
    r"|(?<!\b[Ll]a )(?<!\b[Ss]a )(?<!\bune )(?<!\b[Ll]eur )(?<!\b[Cc]ette )rencontre(?:nt)?"
    r"|reçoi(?:t|vent)|auditionne(?:nt)?|réuni(?:t|ssent)|retrouve(?:nt)?|entame(?:nt)?"
    # The conditional of a plan; `aurait` and `serait` are those of hearsay.
    r"|(?!aurai|serai|(?:re|at)?tirai|\w*(?:contr|montr|entr|istr|ouvr|livr|offr|spir|mir)ai)"
    r"[a-zéèêçîïô']{2,}(?:er|ir|dr|tr|vr)ai(?:t|ent))\b"
)
_PAST = re.compile(
    r"\b(?:a|ont|avoir|ayant|avait|avaient|été|(?:s['’])?(?:est|était|étaient)|(?:se )?sont) (?!lieu)"
    rf"(?:(?!{WEEKDAY})\w+ )?(?!{WEEKDAY})\w+(?:é|ée|és|ées|i|ie|is|it|u|us|ue|ues|ert|erts|nt)\b"
)
_TOWARDS = re.compile(
    r"\b(?:avant|dès|d['’]ici|jusqu['’](?:à|au|en|aux)|pour|(?:report|repouss|décal|renvoy|ajourn)ée?s? (?:au|à)"
    r"|à compter|à partir)(?: à)?(?: au| en| de| du| le| la| les| l['’]| fin| mi-| début)*\s?"
    r"(?:\w+ (?:ou|et) (?:l['’]|le |la )?)?$",
    re.IGNORECASE,
)
# `dénoncé le 17 juillet`, `arrêtés ce mardi`: a participle of what is done, unless what is done is a plan.
_DONE = re.compile(
    r"\b(?!(?i:prév|prog|atten|annonc|convoqu|autoris|déploy|fix|appel|invit|report|repouss|convi))(?<!sera )"
    r"(?<!seront )(?<!être )(?:[A-ZÉÈa-zéèêçîïô][a-zéèêçîïô]+(?:é|és|(?<!arriv)(?<!journ)(?<!soir)(?<!veill)ée|ées)"
    r"|(?i:mort|élu|battu|survenu|commis|paru|disparu|conclu|ouvert|découvert)e?s?)"
    r" (?:ce |le |les |en |dès |depuis )?$"
)
_SINCE = re.compile(r"\bdepuis(?: au moins)?(?: le| la| les)? ?$", re.IGNORECASE)
# Code points before an expression that are searched for a preposition, and around it for a verb.
_REACH = 30
_WINDOW = 100
_TENSES: tuple[tuple[Direction, re.Pattern[str]], ...] = ((1, _FUTURE), (-1, _PAST))


_HINT = re.compile(
    rf"\d|{WEEKDAY}|{FULL_M}|{SEASON}|hier|demain|jour|semaine|mois|année|\ban|week-end|Noël|nuit|matin|soir"
    r"|midi|veille|\baube|trimestre|semestre|siècle|Saint-|Toussaint|Assomption|Halloween",
    re.IGNORECASE,
)


def speaks_of_time(sentence: str) -> bool:
    """Tell whether a sentence has any word of a time expression: half of them have none and need no grammar."""
    return _HINT.search(sentence) is not None


def direction(sentence: str, start: int, end: int) -> Direction:
    """Tell where an expression points: by the word before it, else by the tense of the verb nearest to it."""
    if _TOWARDS.search(sentence, max(0, start - _REACH), start):
        return 1
    if any(pattern.search(sentence, max(0, start - _REACH), start) for pattern in (_SINCE, _DONE)):
        return -1
    left, right = max(0, start - _WINDOW), end + _WINDOW
    nearest: dict[Direction, int] = {}
    for way, pattern in _TENSES:
        gaps = (max(m.start() - end, start - m.end(), 0) for m in pattern.finditer(sentence, left, right))
        nearest[way] = min(gaps, default=_WINDOW + 1)
    if min(nearest.values()) > _WINDOW:
        return 0
    return 1 if nearest[1] <= nearest[-1] else -1


def number_of(words: str) -> int:
    """Return the number written in figures or in words: `35`, `trente-cinq`, `vingt et un`, `quatre-vingt-dix`."""
    words = words.casefold()
    if words.isdecimal():
        return int(words)
    whole = re.sub(r"quatre-vingts?", "octante", words)
    parts = re.split(r"[- ](?:et[- ])?", whole) if whole not in NUMBERS else [whole]
    return sum(TENS.get(each) or NUMBERS.index(each) for each in parts)


def roman(word: str) -> int:
    """Return the number that Roman figures up to XXXIX write. Raises ValueError for none."""
    values = {"I": 1, "V": 5, "X": 10}
    digits = [values[each] for each in word.upper()]
    if not digits:
        raise ValueError("no figures")
    return sum(-one if one < other else one for one, other in zip(digits, [*digits[1:], 0], strict=True))


def month_of(word: str) -> int:
    """Return the number of a month, full or abbreviated."""
    word = word.casefold().rstrip(".")
    return next(at for at, names in enumerate(MONTHS, start=1) if word in names)


def day_of_month(text: str) -> int:
    """Return the number in `1er` or `03`."""
    return int(re.sub(r"\D", "", text))
