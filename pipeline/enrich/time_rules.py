"""The grammar of French time expressions: one row for each form, with what it means.

A resolver is given the match, the day the article speaks from, and whether its sentence looks back or ahead; it
may raise ValueError for a day the calendar does not have. Conventions are those of the event guidelines: `mi-août`
is 11-20, weeks begin on Monday, seasons are astronomical, a night between two days is both of them.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Literal, NamedTuple

from pipeline.enrich import intervals
from pipeline.enrich.intervals import Interval

Needs = Literal["nothing", "month", "day"]
Direction = Literal[-1, 0, 1]
"""Back, unknown, ahead."""

_WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
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
_NUMBERS = (
    *("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"),
    *("treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf", "vingt"),
)
_TENS = {"trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60, "cent": 100, "une": 1}
_QUARTERS = {
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
_NEAR_DAYS = {"avant-hier": -2, "hier": -1, "aujourd'hui": 0, "demain": 1, "après-demain": 2}

_WD = rf"(?:{'|'.join(_WEEKDAYS)})"
_M = "(?:(?:" + "|".join(names[0] for names in _MONTHS) + r"|aout|fevrier|decembre)\b|(?:" + (
    "|".join(name for names in _MONTHS for name in names[1:]) + r")\b\.?)"
)
_FULL_M = "(?:" + "|".join(names[0] for names in _MONTHS) + r"|aout)\b"
_Y = r"(?:1[5-9]\d\d|20\d\d)(?![\d,.]\d|\d| ?(?:euros|dollars|personnes|%))"
_D = r"(?:1 ?er|[12]\d|3[01]|0?[1-9])"
_N = rf"(?:\d{{1,3}}|{'|'.join(sorted([*_NUMBERS[1:], *_TENS], key=len, reverse=True))})"
_PART = r"(?: (?:matin|midi|après-midi|soir|(?:dans|en) (?:la |l['’]|début de |fin de )?(?:nuit|matinée|soirée|après-midi)))?"
_S = r"(?:printemps|été|automne|hiver)"
_BEGIN = r"(?:début|mi|fin)"

# Verbs that look ahead: the simple future, `aller` and `devoir` with an infinitive, announcements and calls.
_FUTURE = re.compile(
    r"\b(?:[a-zéèêçîïô']+(?:era|ira|dra|vra|rra|ttra|îtra)|(?!front|affront)[a-zéèêçîïô']+ront"
    r"|(?:va|vont|doit|doivent|devrait|devraient|pourrait|pourraient) (?:\w+ )?(?:être |se |s['’]|y |en )?\w+(?:er|ir|re)"
    r"|prévue?s?|attendue?s?|à venir|convoquée?s?|annonce|annoncent|appell?e(?:r|nt|z)?|appelée?s? à|devai(?:t|ent)|prévoi(?:t|ent)|veut|veulent|compte)\b"
)
_PAST = re.compile(
    r"\b(?:a|ont|avait|avaient|est|sont|était|étaient|s['’]est|se sont|s['’]était|s['’]étaient|été) (?:\w+ )?"
    r"\w+(?:é|ée|és|ées|i|ie|is|it|u|us|ue|ues|ert|erts|nt)\b"
)
_TOWARDS = re.compile(
    r"\b(?:avant|d['’]ici|jusqu['’](?:à|au|en|aux)|pour)(?: à)?(?: au| en| le| la| les| l['’]| fin| mi-| début)*\s?"
    r"(?:\w+ (?:ou|et) (?:l['’]|le |la )?)?$",
    re.IGNORECASE,
)
_WINDOW = 80
_TENSES: tuple[tuple[Direction, re.Pattern[str]], ...] = ((1, _FUTURE), (-1, _PAST))


class Rule(NamedTuple):
    """One form of expression. `needs`: how exactly the article's date must be known."""

    needs: Needs
    pattern: re.Pattern[str]
    resolve: Callable[[re.Match[str], date, Direction], Interval]


def direction(sentence: str, start: int, end: int) -> Direction:
    """Tell where an expression points: by the word before it, else by the tense of the verb nearest to it."""
    if _TOWARDS.search(sentence, max(0, start - 30), start):
        return 1
    nearest: dict[Direction, int] = {}
    for way, pattern in _TENSES:
        gaps = (max(m.start() - end, start - m.end(), 0) for m in pattern.finditer(sentence))
        nearest[way] = min((gap for gap in gaps if gap <= _WINDOW), default=_WINDOW + 1)
    if min(nearest.values()) > _WINDOW:
        return 0
    return 1 if nearest[1] <= nearest[-1] else -1


def _number(word: str) -> int:
    word = word.casefold()
    if word.isdecimal():
        return int(word)
    return _TENS.get(word) or _NUMBERS.index(word)


def _month(word: str) -> int:
    word = word.casefold().rstrip(".")
    return next(at for at, names in enumerate(_MONTHS, start=1) if word in names)


def _dom(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def _weekday(today: date, word: str, way: Direction, rel: str | None = None) -> date:
    """Return the weekday nearest in the direction; `dernier` is never today, `prochain` neither."""
    wanted = _WEEKDAYS.index(word.casefold())
    back = (today.weekday() - wanted) % 7
    forth = (wanted - today.weekday()) % 7
    if rel and rel.startswith("dernier"):
        return today - timedelta(days=back or 7)
    if rel and rel.startswith("prochain"):
        return today + timedelta(days=forth or 7)
    return today + timedelta(days=forth) if way > 0 else today - timedelta(days=back)


def _dated(m: re.Match[str], today: date, way: Direction) -> Interval:
    weekday = _WEEKDAYS.index(m["wd"].casefold()) if m["wd"] else None
    way = {"dernier": -1, "prochain": 1}.get(m["rel"] or "", way)  # type: ignore[assignment]
    return intervals.day(intervals.nearest_year(today, _month(m["m"]), _dom(m["d"]), weekday, way))


def _day_of_month(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return `le 10`: of this month, or of the one before or behind it where the sentence looks that way."""
    this = date(today.year, today.month, _dom(m["d"]))
    if this > today and way <= 0:
        return intervals.day(intervals.month(today.year, today.month - 1).start.replace(day=this.day))
    return intervals.day(this)


def _day_range(m: re.Match[str], today: date, way: Direction) -> Interval:
    year = m["y"]
    number = _month(m["m"])
    first_month = _month(m["m1"]) if m["m1"] else number
    if year:
        last = date(int(year), number, _dom(m["d2"]))
    else:
        last = intervals.nearest_year(today, number, _dom(m["d2"]))
    return intervals.days(date(last.year - (first_month > number), first_month, _dom(m["d1"])), last)


def _some_month(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return a month without a year: the last one begun, the next one where the sentence looks ahead."""
    number, rel = _month(m["m"]), m["rel"]
    forward = rel == "prochain" or (way > 0 and rel is None)
    if forward:
        whole = intervals.month(today.year + (number < today.month + (rel is not None)), number)
    else:
        whole = intervals.month(today.year - (number > today.month - (rel is not None)), number)
    return intervals.third_of_month(whole, m["part"].casefold().rstrip("-")) if m["part"] else whole


def _month_of_year(m: re.Match[str], today: date, way: Direction) -> Interval:
    whole = intervals.month(int(m["y"]), _month(m["m"]))
    return intervals.third_of_month(whole, m["part"].casefold()) if m["part"] else whole


def _night(m: re.Match[str], today: date, way: Direction) -> Interval:
    second = _weekday(today, m["wd2"], way)
    return intervals.days(second - timedelta(days=1), second)


def _two_days(m: re.Match[str], today: date, way: Direction) -> Interval:
    second = _weekday(today, m["wd2"], way)
    return intervals.days(_weekday(second, m["wd1"], -1), second)


def _ago(m: re.Match[str], today: date, way: Direction) -> Interval:
    return _counted(today, -_number(m["n"]), m["unit"])


def _hence(m: re.Match[str], today: date, way: Direction) -> Interval:
    return _counted(today, _number(m["n"]), m["unit"])


def _counted(today: date, count: int, unit: str) -> Interval:
    unit = unit.casefold()
    if unit.startswith("jour"):
        # `huit jours` is a week and `quinze jours` two, as a week counted from both ends.
        count = {8: 7, -8: -7, 15: 14, -15: -14}.get(count, count)
        return intervals.day(today + timedelta(days=count))
    if unit.startswith("semaine"):
        return intervals.day(today + timedelta(weeks=count))
    if unit.startswith("mois"):
        return intervals.shifted_month(today, count)
    return intervals.year(today.year + count)


def _for_as_long(m: re.Match[str], today: date, way: Direction) -> Interval:
    begun = _counted(today, -_number(m["n"]), m["unit"])
    return Interval(begun.start, today + timedelta(days=1), "range")


def _relative(unit: str, rel: str, today: date) -> Interval:
    step = {"c": 0, "d": -1, "p": 1}["d" if rel.startswith(("dern", "pass", "précéd")) else rel[0]]
    if unit == "semaine":
        return intervals.week(today + timedelta(weeks=step))
    if unit == "mois":
        return intervals.shifted_month(today, step)
    if unit == "week-end":
        # On a Monday to Thursday the week-end gone is that of last week; from Friday on, this week's is meant.
        this = step == 0 and today.weekday() < 4
        return intervals.weekend(today + timedelta(weeks=-1 if this else step))
    return intervals.year(today.year + step)


def _season_near(m: re.Match[str], today: date, way: Direction) -> Interval:
    """Return a season without a year: the last one begun, the next one after `prochain` or a future verb."""
    name, rel = m["s"].casefold(), m["rel"]
    begun = [intervals.season(today.year + by, name) for by in (-2, -1, 0, 1)]
    past = [each for each in begun if (each.end if rel == "dernier" else each.start) <= today]
    coming = [each for each in begun if each.start > today]
    if rel == "prochain" or (rel is None and way > 0 and past[-1].end <= today):
        return coming[0]
    return past[-1]


def _this_season(m: re.Match[str], today: date, way: Direction) -> Interval:
    whole = intervals.season(today.year, m["s"].casefold())
    if whole.start <= today < whole.end:
        return whole if way > 0 else Interval(whole.start, today + timedelta(days=1), "season")
    return whole


def _feast(m: re.Match[str], today: date, way: Direction) -> Interval:
    month, dom = (12, 25) if "o" in m["feast"].casefold()[:2] else (1, 1)
    if m["y"]:
        return intervals.day(date(int(m["y"]), month, dom))
    return intervals.day(intervals.nearest_year(today, month, dom))


def _rule(needs: Needs, pattern: str, resolve: Callable[[re.Match[str], date, Direction], Interval]) -> Rule:
    return Rule(needs, re.compile(rf"(?<![\w-])(?:{pattern})(?![\w])", re.IGNORECASE), resolve)


RULES = (
    _rule(
        "nothing",
        rf"(?:{_WD},? (?:le )?)?(?P<d>{_D}) (?P<m>{_M}),? (?P<y>{_Y})",
        lambda m, today, way: intervals.day(date(int(m["y"]), _month(m["m"]), _dom(m["d"]))),
    ),
    _rule(
        "nothing",
        r"(?P<d>[0-3]?\d)/(?P<m>[01]?\d)/(?P<y>(?:19|20)\d\d)",
        lambda m, today, way: intervals.day(date(int(m["y"]), int(m["m"]), int(m["d"]))),
    ),
    _rule("nothing", rf"(?:(?P<part>{_BEGIN})[ -])?(?P<m>{_M}) (?P<y>{_Y})", _month_of_year),
    _rule(
        "nothing",
        rf"(?:(?:l['’]|le |au )?(?P<s>{_S})) (?P<y>{_Y})",
        lambda m, today, way: intervals.season(int(m["y"]), m["s"].casefold()),
    ),
    _rule(
        "nothing",
        rf"(?P<q>{'|'.join(_QUARTERS)}) trimestre (?:de )?(?P<y>{_Y})",
        lambda m, today, way: intervals.quarter(int(m["y"]), _QUARTERS[m["q"].casefold()]),
    ),
    _rule(
        "nothing",
        rf"(?:de |entre |depuis )?(?P<y1>{_Y})(?: à | et | ?[-–] ?)(?P<y2>{_Y})",
        lambda m, today, way: intervals.days(date(int(m["y1"]), 1, 1), date(int(m["y2"]), 12, 31)),
    ),
    _rule(
        "nothing",
        r"années (?P<y>(?:19|20)\d0)",
        lambda m, today, way: intervals.decade(int(m["y"])),
    ),
    _rule(
        "nothing",
        rf"(?:(?<=en )|(?<=de )|(?<=dès )|(?<=depuis )|(?<=avant )|(?<=après )|(?<=début )|(?<=fin )|(?<=mi-)|(?<=ici )"
        rf"|(?<=ici à )|(?<=pour )|(?<=courant )|(?<=l['’]année )|(?<=l['’]an )|(?<=\()|(?<=qu['’]en ))(?P<y>{_Y})",
        lambda m, today, way: intervals.year(int(m["y"])),
    ),
    _rule(
        "month",
        rf"(?:(?P<wd>{_WD}),? (?:le )?)?(?P<d>{_D}) (?P<m>{_M})(?: (?P<rel>dernier|prochain))?",
        _dated,
    ),
    _rule(
        "month",
        rf"(?:(?:dans la )?nuit )?(?:du |de |entre le |les )?(?:{_WD} )?(?P<d1>{_D})(?: (?P<m1>{_M}))?"
        rf"(?: au | à | et (?:le )?| ?[-–] ?)(?:{_WD} )?(?P<d2>{_D}) (?P<m>{_M})"
        rf"(?: (?P<y>{_Y}))?",
        _day_range,
    ),
    _rule(
        "month",
        rf"(?P<part>{_BEGIN})(?:[ -])(?P<m>{_FULL_M})(?: (?P<rel>dernier|prochain))?",
        _some_month,
    ),
    _rule(
        "month",
        rf"(?:(?<=en )|(?<=depuis )|(?<=ici )|(?<=dès )|(?<=mois de )|(?<=mois d['’])|(?<=ici à )|(?<=fin de )|(?<=avant )"
        rf"|(?<=après )|(?<=jusqu['’]en ))(?P<part>)(?P<m>{_FULL_M})(?: (?P<rel>dernier|prochain))?",
        _some_month,
    ),
    _rule("month", rf"(?P<part>)(?P<m>{_FULL_M}) (?P<rel>dernier|prochain)", _some_month),
    _rule(
        "month",
        r"(?:l['’]an(?:née)?) (?P<rel>derni|pass|proch)(?:er|ère|é|ée|ain|aine)",
        lambda m, today, way: _relative("année", m["rel"].casefold(), today),
    ),
    _rule("month", r"cette année", lambda m, today, way: _relative("année", "cette", today)),
    _rule(
        "month",
        r"(?:(?:le )?mois (?P<rel>dernier|passé|prochain)|ce mois(?:-ci)?)",
        lambda m, today, way: _relative("mois", (m["rel"] or "ce").casefold(), today),
    ),
    _rule(
        "day",
        rf"(?:(?<=l['’])|(?<=le )|(?<=au )|(?<=en ))(?P<s>{_S})(?: (?P<rel>dernier|prochain))?(?! \d)",
        _season_near,
    ),
    _rule("day", rf"ce(?:t)? (?P<s>{_S})", _this_season),
    _rule(
        "day",
        rf"(?:dans (?:la |toute la )?)?nuit (?:de |du )(?P<wd1>{_WD}) (?:à |au )(?P<wd2>{_WD})",
        _night,
    ),
    _rule("day", rf"(?P<wd1>{_WD}) et (?P<wd2>{_WD})", _two_days),
    _rule("day", rf"(?:(?<=le )|(?<=dès le )|(?<=du ))(?P<d>{_D})(?= (?:au|à|dans|en|par|devant)\b|[,.])(?!,\d)", _day_of_month),
    _rule(
        "day",
        rf"(?<!chaque )(?<!tous les )(?P<wd>{_WD})(?! {_D} {_M})(?: (?P<rel>dernier|prochain))?{_PART}",
        lambda m, today, way: intervals.day(_weekday(today, m["wd"], way, m["rel"])),
    ),
    _rule(
        "day",
        rf"(?P<near>avant-hier|hier|aujourd['’]hui|après-demain|demain)(?: {_WD})?(?: (?:matin|midi|après-midi|soir))?",
        lambda m, today, way: intervals.day(
            today + timedelta(days=_NEAR_DAYS[m["near"].casefold().replace("’", "'")])
        ),
    ),
    _rule(
        "day",
        r"ce (?:matin|midi|soir|jour)|cet après-midi|cette nuit",
        lambda m, today, way: intervals.day(today),
    ),
    _rule(
        "day",
        r"(?:(?:la )?semaine (?P<rel>dernière|passée|prochaine)|cette semaine)",
        lambda m, today, way: _relative("semaine", (m["rel"] or "cette").casefold(), today),
    ),
    _rule(
        "day",
        r"(?:(?:le )?week-end (?P<rel>dernier|passé|prochain)|ce week-end)",
        lambda m, today, way: _relative("week-end", (m["rel"] or "ce").casefold(), today),
    ),
    _rule(
        "day", rf"(?:il y a|voici|voilà) (?P<n>{_N}) (?P<unit>jours?|semaines?|mois|ans?)(?! et demi)", _ago
    ),
    _rule("day", rf"dans (?P<n>{_N}) (?P<unit>jours?|semaines?|mois|ans?)", _hence),
    _rule("day", rf"depuis (?P<n>{_N}) (?P<unit>jours?|semaines?|mois|ans?)(?! et demi)", _for_as_long),
    _rule("month", rf"(?P<feast>Noël|Nouvel An|jour de l['’]An)(?: (?P<y>{_Y}))?", _feast),
)

CONTEXT_RULES = (
    _rule(
        "day",
        r"(?:la )?veille(?! d[eu'’])|(?:un jour|le jour) (?:plus tôt|avant|auparavant|précédent)",
        lambda m, context, way: intervals.day(context - timedelta(days=1)),
    ),
    _rule(
        "day",
        r"(?:le )?lendemain(?: (?:matin|soir))?(?! d[eu'’])|(?:un jour|le jour) (?:plus tard|après|suivant)",
        lambda m, context, way: intervals.day(context + timedelta(days=1)),
    ),
    _rule(
        "day",
        rf"(?P<n>{_N}) (?P<unit>jours?|semaines?|mois|ans) (?:plus tôt|auparavant)",
        lambda m, context, way: _counted(context, -_number(m["n"]), m["unit"]),
    ),
    _rule(
        "day",
        r"(?:la )?semaine précédente",
        lambda m, context, way: intervals.week(context - timedelta(weeks=1)),
    ),
    _rule(
        "day",
        r"(?:le |ce )?même jour|ce jour-là|dans la (?:matinée|soirée|journée|nuit)|dans l['’]après-midi|au petit matin|à l['’]aube"
        r"|en (?:début|fin|milieu) (?:d['’]après-midi|de (?:matinée|soirée|journée))|en soirée|en matinée|à la mi-journée",
        lambda m, context, way: intervals.day(context),
    ),
)
"""Expressions that lean on the day named last before them, the article's own day where none is."""

CLOCK = re.compile(
    r"(?<!\w)(?P<hour>[01]?\d|2[0-3])(?: heures?| ?[hH])(?: ?(?P<minute>[0-5]\d))?(?!\w)(?! d['’]| de )"
)
"""A time of day: 14h30, 18 heures; not a duration (`48 heures de garde à vue`)."""
