"""Amounts by rule: sums of money, people hurt or counted, quantities with a unit."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pipeline.ports import Span

Kind = Literal["MONEY", "CASUALTIES", "AMOUNT"]

_UNITS_SMALL = "un|une|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize"
_TENS = "vingt|trente|quarante|cinquante|soixante|cent|cents|mille"
_ABOUT = "dizaine|douzaine|quinzaine|vingtaine|trentaine|quarantaine|cinquantaine|soixantaine|centaine|millier"
# Digits may be grouped by blanks (plain, no-break U+00A0, narrow U+202F), as French typography does.
_DIGITS = r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?"
_WORDS = rf"(?:{_UNITS_SMALL}|{_TENS})(?:[- ](?:et[- ])?(?:{_UNITS_SMALL}|{_TENS}))*"
_SCALE = r"(?:millions?|milliards?|milliers?)"
_NUMBER = (
    rf"(?:(?:une?|deux|trois|quelques|plusieurs|des)[ ](?:{_ABOUT})s?(?:[ ]de[ ]{_SCALE})?[ ]d(?:e[ ]|['’])"
    rf"|(?:{_DIGITS}|{_WORDS})[ \u00a0\u202f](?:{_SCALE})(?:[ ]d(?:e[ ]|['’]))?"
    rf"|(?:{_DIGITS}|{_WORDS}))"
)
_MONEY = (
    r"(?:dollars|euros|livres[ ](?:sterling|égyptiennes|turques|syriennes|libanaises|soudanaises)|roubles|yens|yuans"
    r"|francs(?:[ ]CFA|[ ]suisses)?|FCFA|roupies|hryvnias|rials|riyals|dinars|dirhams|gourdes|shekels|nairas|pesos"
    r"|couronnes|zlotys|cédis|ariarys)"
    r"(?:[ ](?:américains|canadiens|australiens|algériens|tunisiens|marocains|suédoises|norvégiennes|danoises))?"
    r"|euro|dollar|(?:Md|M|k)?€|[$£¥]"
)
_HURT = (
    "morts?|mortes?|tués?|tuées?|blessés?|blessées?|victimes?|disparus?|disparues?|décès|cadavres?"
    r"|corps(?![ ](?:d[e'’u]|expéd|diplom|enseign|médic|élector|armé|intermédi))"
)
_PEOPLE = (
    "otages?|personnes?|civils?"
    "|soldats?|militaires?|policiers?|manifestants?|combattants?|migrants?|réfugiés?|prisonniers?|détenus?|habitants?"
    "|salariés?|enfants?|femmes?|hommes?|députés?|voix|arrestations?|interpellations?|hospitalisés?|licenciements?"
)
_MEASURE = (
    "kilomètres?|km|km²|mètres?|hectares?|tonnes?|kilos?|kilogrammes?|litres?|barils?|degrés?|mégawatts?|gigawatts?"
    "|MW|GW|points?|missiles?|drones?|obus|chars?|avions?|véhicules?|logements?|sièges?|pour[ ]cent|%"
)
_AMOUNT = re.compile(
    rf"(?<![\w.,])(?:{_NUMBER})[ \u00a0\u202f]?"
    rf"(?:(?P<money>{_MONEY})|(?P<hurt>{_HURT})|(?P<people>{_PEOPLE})|{_MEASURE})"
    # `deux civils tués`, `deux civils ont été tués`: whoever was counted was hurt.
    rf"(?P<hurt_behind>[ ](?:tués?|tuées?|blessés?|blessées?|disparus?|disparues?)"
    rf"|(?=[ ](?:(?:ont|avaient)[ ](?:aussi[ ]|également[ ])?(?:été[ ](?:tuée?s|blessée?s)|péri|trouvé[ ]la[ ]mort)"
    rf"|sont[ ]morte?s)(?!\w)))?(?!\w)"
    rf"|(?<![\w.,])(?:{_DIGITS}|{_WORDS})[ \u00a0\u202f](?:millions|milliards)(?!\w)",
    re.IGNORECASE,
)


# `un homme` counts nobody.
_ONE = re.compile(r"une?[ \u00a0\u202f]\w+", re.IGNORECASE)
# `a blessé trois policiers`, `tuant au moins deux civils`
_HURTING = re.compile(
    r"(?<!\w)(?:(?:a|ont|avait|avaient)[ ](?:tué|blessé|fauché)|tuant|blessant|fauchant|tuer|blesser|tuent|blessent)"
    r"[ ](?:(?:au[ ]moins|plus[ ]de|environ|près[ ]de|quelque)[ ])?$"
)
_HURTING_REACH = 32


class Amount(NamedTuple):
    """Where an amount stands, and whether it is money, people killed or hurt, or anything else that is counted."""

    span: Span
    kind: Kind


def find_amounts(text: str) -> Iterator[Amount]:
    """Yield the amounts from left to right, number and unit: `150 milliards de dollars`."""
    for match in _AMOUNT.finditer(text):
        if match["people"] and _ONE.fullmatch(match[0]) and match["hurt_behind"] is None:
            continue
        kind: Kind = "MONEY" if match["money"] else "CASUALTIES" if _is_toll(text, match) else "AMOUNT"
        yield Amount(Span(match.start(), match.end()), kind)


def _is_toll(text: str, match: re.Match[str]) -> bool:
    if match["hurt"] or match["hurt_behind"] is not None:
        return True
    before = text[max(0, match.start() - _HURTING_REACH) : match.start()]
    return match["people"] is not None and _HURTING.search(before) is not None
