"""The grammar of French time expressions: one row for each form, with what it means."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Literal, NamedTuple

from pipeline.enrich import intervals
from pipeline.enrich import time_meanings as means
from pipeline.enrich.intervals import Interval
from pipeline.enrich.time_meanings import Seen
from pipeline.enrich.time_words import (
    ABOUT,
    BEGIN,
    DAY,
    FEAST,
    FULL_M,
    MONTH,
    NEAR_DAYS,
    NUMBER,
    PART,
    QUARTERS,
    ROMAN,
    SEASON,
    WEEKDAY,
    YEAR,
    day_of_month,
    month_of,
    number_of,
    roman,
)

Needs = Literal["nothing", "month", "day", "told"]
"""What must be known: nothing, the article's month, its day, or a day that the text spoke of before."""


class Rule(NamedTuple):
    """One form of expression. `needs`: how exactly the article's date must be known."""

    needs: Needs
    pattern: re.Pattern[str]
    resolve: Callable[[Seen], Interval]


def _rule(needs: Needs, pattern: str, resolve: Callable[[Seen], Interval]) -> Rule:
    return Rule(needs, re.compile(rf"(?<![\w-])(?:{pattern})(?!\w|-là\b)", re.IGNORECASE), resolve)


# `de 2000 soldats`, `entre 1800 et 2000 mètres` are no years; `de 2015 dans` is one.
_NO_NOUN = (
    r"(?:dans|dont|sous|vers|sans|après|depuis|mais|pas|plus|alors|lors|puis|aux|les|ses|ces|des|nos|leurs|très|ils"
    r"|elles)\b"
)
_COUNTED = rf"\d+ (?!{_NO_NOUN})[a-zà-ÿ]+[sx]\b"
_UNIT = (
    r" (?:km|[mkc]?m[²2³3]?|kg|ha|[kMGT]?[Ww]h?|F|(?:F ?)?CFA|USD|€|mille|ans|d['’]|points|exemplaires|mètres"
    r"|kilomètres|jours|heures|tonnes|francs)\b"
)
_COUNTING = r"(?<!plus de )(?<!près de )(?<!moins de )(?<!total de )"
# A year stands behind one of these, or in brackets; a number elsewhere may be any.
_YEAR_AFTER = "|".join(
    rf"(?<=\b{word} )"
    for word in (
        *("en", "dès", "depuis", "avant", "après", "ici", "ici à", "courant", "qu['’]en", "l['’]année", "l['’]an"),
        *("édition", "saison", "titre", "exercice", "rentrée", "budget"),
    )
)

RULES = (
    _rule(
        "nothing",
        rf"(?:{WEEKDAY},? (?:le )?)?(?P<d>{DAY}) (?P<m>{MONTH}),? (?P<y>{YEAR})",
        lambda seen: intervals.day(date(int(seen["y"]), month_of(seen["m"]), day_of_month(seen["d"]))),
    ),
    _rule(
        "nothing",
        r"(?P<d>[0-3]?\d)/(?P<m>[01]?\d)/(?P<y>(?:19|20)\d\d)",
        lambda seen: intervals.day(date(int(seen["y"]), int(seen["m"]), int(seen["d"]))),
    ),
    _rule("nothing", rf"(?:(?P<part>{BEGIN})[ -])?(?P<m>{MONTH}) (?P<y>{YEAR})", means.month_of_year),
    _rule(
        "nothing",
        rf"(?:(?:l['’]|le |au )?(?P<s>{SEASON})) (?P<y>{YEAR})",
        lambda seen: intervals.season(int(seen["y"]), seen["s"].casefold()),
    ),
    _rule(
        "nothing",
        rf"(?P<q>{'|'.join(QUARTERS)}) trimestre (?:de )?(?P<y>{YEAR})",
        lambda seen: intervals.quarter(int(seen["y"]), QUARTERS[seen["q"].casefold()]),
    ),
    _rule(
        "nothing",
        rf"(?:de |entre |depuis )?(?P<y1>{YEAR})(?: à | et | ?[-–] ?)(?P<y2>{YEAR})"
        rf"(?!{_UNIT})(?!(?<=[05]0) (?!{_NO_NOUN})[a-zà-ÿ]+[sx]\b)",
        lambda seen: intervals.days(date(int(seen["y1"]), 1, 1), date(int(seen["y2"]), 12, 31)),
    ),
    _rule(
        "nothing",
        rf"(?P<part>{BEGIN})[ -](?:de )?(?:l['’]année |l['’]an )?(?P<y>{YEAR})",
        lambda seen: intervals.third_of_year(int(seen["y"]), seen["part"].casefold()),
    ),
    _rule(
        "nothing",
        rf"(?P<h>{'|'.join(QUARTERS)}) semestre (?:de )?(?P<y>{YEAR})",
        lambda seen: intervals.half_year(int(seen["y"]), QUARTERS[seen["h"].casefold()]),
    ),
    _rule(
        "nothing",
        rf"(?:(?P<roman>{ROMAN})|(?P<n>1[0-9]|20|21)) ?(?:e|ème|è) siècle",
        lambda seen: intervals.century(int(seen["n"]) if seen["n"] else roman(seen["roman"])),
    ),
    _rule(
        "nothing",
        r"années (?P<y>(?:19|20)\d0|[1-9]0)(?!\d)",
        lambda seen: intervals.decade(int(seen["y"]) + 1900 * (len(seen["y"]) == 2)),
    ),
    _rule(
        "nothing",
        rf"(?:{_YEAR_AFTER}|(?<!loi de ){_COUNTING}(?<=\bde )(?!{_COUNTED})|(?<=\bpour )(?!{_COUNTED})"
        rf"|(?<=\()(?!{_COUNTED}))(?P<y>{YEAR})(?!{_UNIT})(?! à \d{{4}}\b)",
        lambda seen: intervals.year(int(seen["y"])),
    ),
    _rule(
        "month",
        rf"(?:(?P<wd>{WEEKDAY}),? (?:le )?)?(?P<d>{DAY}) (?P<m>{MONTH})(?: (?P<rel>dernier|prochain))?",
        means.dated,
    ),
    _rule(
        "month",
        rf"(?:(?:dans la )?nuit )?(?:du |de |entre le |les )?(?:{WEEKDAY} )?(?P<d1>{DAY})"
        rf"(?: (?P<m1>{MONTH}))?(?:, (?:{WEEKDAY} )?{DAY})*(?: au | à | et (?:le )?| ?[-–] ?)(?:{WEEKDAY} )?"
        rf"(?P<d2>{DAY}) (?P<m>{MONTH})(?: (?P<y>{YEAR}))?",
        means.day_range,
    ),
    _rule(
        "month",
        rf"(?:de |d['’]|entre )?(?P<m1>{FULL_M})(?: et | à | ?[-–] ?)(?P<m>{FULL_M})(?: (?P<y>{YEAR}))?",
        means.month_range,
    ),
    _rule(
        "month",
        rf"(?P<part>{BEGIN})(?:[ -])(?P<m>{FULL_M})(?: (?P<rel>dernier|prochain))?",
        means.some_month,
    ),
    _rule(
        "month",
        rf"(?:(?<=\ben )|(?<=\bdepuis )|(?<=\bici )|(?<=\bdès )|(?<=mois de )|(?<=mois d['’])|(?<=\bici à )"
        rf"|(?<=fin de )|(?<=\bavant )|(?<=\baprès )|(?<=jusqu['’]en ))(?P<part>)(?P<m>{FULL_M})"
        rf"(?: (?P<rel>dernier|prochain))?",
        means.some_month,
    ),
    # A capital makes a planet, a village or a name of it: `la sonde de Mars`.
    _rule("month", rf"(?:(?<=\bde )|(?<=\bd['’]))(?P<m>(?-i:{FULL_M}))(?! à| et)", means.nearest_month),
    _rule(
        "month",
        rf"(?P<part>début|fin|milieu) (?:du |de )mois (?:de |d['’])(?P<m>{FULL_M})(?P<rel>)",
        means.some_month,
    ),
    _rule("month", rf"(?P<part>)(?P<m>{FULL_M}) (?P<rel>dernier|prochain)", means.some_month),
    _rule(
        "month",
        r"(?:l['’]an(?:née)?) (?P<rel>derni|pass|proch)(?:er|ère|é|ée|ain|aine)",
        lambda seen: means.relative("année", seen["rel"].casefold(), seen.day),
    ),
    _rule("month", r"cette année", lambda seen: means.relative("année", "cette", seen.day)),
    _rule(
        "month",
        r"(?:(?:le )?mois (?P<rel>dernier|passé|prochain)|ce mois(?:-ci)?)",
        lambda seen: means.relative("mois", (seen["rel"] or "ce").casefold(), seen.day),
    ),
    _rule(
        "day",
        rf"(?:(?<=l['’])|(?<=\ble )|(?<=\bau )|(?<=\ben ))(?P<s>{SEASON})(?: (?P<rel>dernier|prochain))?(?! \d)",
        means.season_near,
    ),
    _rule("day", rf"ce(?:t)? (?P<s>{SEASON})", means.this_season),
    _rule(
        "day",
        rf"(?:dans (?:la |toute la )?)?nuit (?:de |du )(?P<wd1>{WEEKDAY}) (?:à |au )(?P<wd2>{WEEKDAY})",
        means.night,
    ),
    _rule(
        "day",
        rf"(?:(?:de |entre )(?P<from>{WEEKDAY}) (?:à|et) (?P<to>{WEEKDAY})"
        rf"|(?P<wd1>{WEEKDAY})(?:, {WEEKDAY})? (?:et|ou) (?P<wd2>{WEEKDAY}))",
        means.two_days,
    ),
    _rule(
        "day",
        rf"(?:(?<=\ble )|(?<=\bdu ))(?P<d>{DAY})(?! à (?:avoir|\w+er\b)|, \w+ Street|, (?:le \d|rue))"
        r"(?= (?:au|à|dans|par|devant)\b|[,.])(?!,\d)",
        means.monthday,
    ),
    _rule(
        "day",
        rf"(?<!chaque )(?<!tous les )(?<!sauf le )(?P<wd>{WEEKDAY})(?! {DAY} {MONTH})"
        rf"(?: (?P<rel>dernier|prochain))?{PART}",
        lambda seen: intervals.day(means.weekday(seen.day, seen["wd"], seen.way, seen["rel"])),
    ),
    _rule(
        "day",
        rf"(?P<near>avant-hier|hier|aujourd['’]hui|après-demain|demain)"
        rf"(?:,? (?:ce )?{WEEKDAY}(?: {DAY} {MONTH}(?: {YEAR})?)?)?"
        r"(?: (?:matin|midi|après-midi|soir))?",
        lambda seen: intervals.day(seen.day + timedelta(days=NEAR_DAYS[seen["near"].casefold().replace("’", "'")])),
    ),
    _rule(
        "day",
        r"ce (?:matin|midi|soir|jour)|cet après-midi|cette nuit",
        lambda seen: intervals.day(seen.day),
    ),
    _rule(
        "day",
        r"(?:(?:la )?semaine (?P<rel>dernière|passée|prochaine)|cette semaine)",
        lambda seen: means.relative("semaine", (seen["rel"] or "cette").casefold(), seen.day),
    ),
    _rule(
        "day",
        r"(?:(?:le )?week-end (?P<rel>dernier|passé|prochain)|ce week-end)",
        means.week_end,
    ),
    _rule(
        "day",
        rf"(?:il y a|voici|voilà) {ABOUT}(?P<n>{NUMBER}) (?P<unit>jours?|semaines?|mois|ans?)(?! et demi)",
        means.ago,
    ),
    _rule("day", rf"d['’]ici (?:à )?(?P<n>{NUMBER}) (?P<unit>jours?|semaines?|mois|ans?)", means.within),
    _rule("day", rf"dans (?P<n>{NUMBER}) (?P<unit>jours?|semaines?|mois|ans?)", means.hence),
    _rule("day", rf"depuis {ABOUT}(?P<n>{NUMBER}) (?P<unit>jours?|semaines?|mois|ans?)(?! et demi)", means.for_as_long),
    _rule(
        "month",
        rf"(?P<feast>{FEAST})(?!(?-i:[ -][A-ZÉ]))(?: (?P<y>{YEAR}))?",
        means.feast,
    ),
    _rule(
        "day",
        rf"(?P<wd>{WEEKDAY}) (?P<d>{DAY})(?=[,;:.)]|$| (?:à|dans|en|par|devant|lors|pour|sur|avec)\b)",
        means.weekday_and_number,
    ),
    _rule(
        "month",
        r"(?<!fêtes de )(?P<part>début|fin|milieu) (?:d['’]|de l['’])(?P<unit>année)"
        rf"(?! scolaire| universitaire| judiciaire)(?: (?P<rel>derni|pass|proch)(?:ère|ée|aine))?(?: (?P<y>{YEAR}))?",
        means.part_of_this,
    ),
    _rule(
        "day",
        r"(?P<part>début|fin|milieu) (?:du |de )(?P<unit>mois)(?: (?P<rel>derni|pass|proch)(?:er|é|ain))?(?P<y>)"
        r"(?! de\b| d['’])",
        means.part_of_this,
    ),
    _rule(
        "day",
        rf"(?:les|ces|des) (?P<n>{NUMBER}) derni(?:ers|ères) (?P<unit>jours|semaines|mois|années|ans)",
        means.last_few,
    ),
    _rule(
        "day",
        rf"(?:dans |au cours )?(?:les|des|ces) (?P<n>{NUMBER}) prochaine?s (?P<unit>jours|semaines|mois|années|ans)",
        means.within,
    ),
)

CONTEXT_RULES = (
    _rule(
        "day",
        r"la veille(?! d[eu'’])|(?:un jour|le jour) (?:plus tôt|avant|auparavant|précédent)",
        lambda seen: intervals.day(seen.day - timedelta(days=1)),
    ),
    _rule(
        "day",
        r"(?:le |(?<=\bau ))lendemain(?: (?:matin|soir))?(?! d[eu'’])|(?:un jour|le jour) (?:plus tard|après|suivant)",
        lambda seen: intervals.day(seen.day + timedelta(days=1)),
    ),
    _rule(
        "day",
        rf"(?<!\d[ .,])(?<! et )(?P<n>{NUMBER}) (?P<unit>jours?|semaines?|mois|ans?) (?:plus tôt|auparavant)",
        lambda seen: means.counted(seen.day, -number_of(seen["n"]), seen["unit"]),
    ),
    _rule(
        "told",
        rf"(?<!\d[ .,])(?<! et )(?P<n>{NUMBER}) (?P<unit>jours?|semaines?|mois|ans?) (?:plus tard|après(?=[,.]))",
        lambda seen: means.counted(seen.day, number_of(seen["n"]), seen["unit"]),
    ),
    _rule(
        "told",
        r"(?:la |le |l['’])?(?P<unit>semaine|mois|année) (?P<rel>précédente?|suivante?)",
        means.next_to,
    ),
    _rule(
        "day",
        r"(?:le |ce )?même jour|ce jour-là|dans la (?:matinée|soirée|journée|nuit)(?! d[eu] )|dans l['’]après-midi"
        r"|au petit matin|à l['’]aube(?! d[e'’])"
        r"|en (?:début|fin|milieu) (?:d['’]après-midi|de (?:matinée|soirée|journée))"
        r"|en soirée|en matinée|à la mi-journée",
        lambda seen: intervals.day(seen.day),
    ),
)
"""Expressions that lean on the day named last before them; those that need none told, else on the article's own."""

CLOCK = re.compile(r"(?<!\w)(?P<hour>[01]?\d|2[0-3])(?: heures?| ?[hH])(?: ?(?P<minute>[0-5]\d))?(?!\w)(?! d['’]| de )")
"""A time of day: 14h30, 18 heures; not a duration (`48 heures de garde à vue`)."""
