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
    r"(?:dollars|euros|livres(?:[ ]sterling)?|roubles|yens|yuans|francs(?:[ ]CFA|[ ]suisses)?|roupies"
    r"|hryvnias|rials)"
    r"(?:[ ](?:américains|canadiens|australiens))?|euro|dollar|[€$£¥]"
)
_HURT = "morts?|mortes?|tués?|tuées?|blessés?|blessées?|victimes?|disparus?|disparues?|décès|cadavres?|corps"
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
    rf"(?<![\w.,])(?:{_NUMBER})[ \u00a0\u202f]?(?:(?P<money>{_MONEY})|(?P<hurt>{_HURT})|{_PEOPLE}|{_MEASURE})"
    # `deux civils tués`: whoever was counted was hurt.
    rf"(?P<hurt_behind>[ ](?:tués?|tuées?|blessés?|blessées?|disparus?|disparues?))?(?!\w)"
    rf"|(?<![\w.,])(?:{_DIGITS}|{_WORDS})[ \u00a0\u202f](?:millions|milliards)(?!\w)",
    re.IGNORECASE,
)


class Amount(NamedTuple):
    """Where an amount stands, and whether it is money, people killed or hurt, or anything else that is counted."""

    span: Span
    kind: Kind


def find_amounts(text: str) -> Iterator[Amount]:
    """Yield the amounts from left to right, number and unit: `150 milliards de dollars`."""
    for match in _AMOUNT.finditer(text):
        kind: Kind = "MONEY" if match["money"] else "CASUALTIES" if match["hurt"] or match["hurt_behind"] else "AMOUNT"
        yield Amount(Span(match.start(), match.end()), kind)
