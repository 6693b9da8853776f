"""Sums of money, people counted and quantities are found with number and unit."""

import pytest

from pipeline.enrich.amounts import find_amounts


@pytest.mark.parametrize(
    ("sentence", "amounts"),
    [
        ("plus de 150 milliards de dollars d'aide", ["150 milliards de dollars"]),
        ("dont 65 milliards dans le domaine militaire", ["65 milliards"]),
        ("une amende de 3,5 millions d'euros", ["3,5 millions d'euros"]),
        ("il a payé 20\u202f000 € comptant", ["20\u202f000 €"]),
        ("l'attentat a fait 29 morts et deux blessés", ["29 morts", "deux blessés"]),
        ("une cinquantaine de soldats", ["une cinquantaine de soldats"]),
        ("12 000 manifestants selon la police", ["12 000 manifestants"]),
        ("à 40 kilomètres du front, 30 % du pays", ["40 kilomètres", "30 %"]),
        ("trente-deux personnes interpellées", ["trente-deux personnes"]),
        ("des dizaines de milliers de manifestants", ["des dizaines de milliers de manifestants"]),
        ("en 2014, le G7 et l'article 49.3", []),
        ("aucun mort n'est à déplorer", []),
        ("un homme et une femme se sont présentés", []),
        ("un corps d'élite et trois livres", []),
        ("3 000 dinars et 12 Md€", ["3 000 dinars", "12 Md€"]),
    ],
)
def test_amounts_of_a_sentence(sentence: str, amounts: list[str]) -> None:
    assert [sentence[each.span.start : each.span.end] for each in find_amounts(sentence)] == amounts


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("150 milliards de dollars", "MONEY"),
        ("20 € comptant", "MONEY"),
        ("29 morts", "CASUALTIES"),
        ("deux civils tués", "CASUALTIES"),
        ("douze soldats blessés", "CASUALTIES"),
        ("douze soldats", "AMOUNT"),
        ("Douze personnes ont été tuées", "CASUALTIES"),
        ("deux enfants sont morts", "CASUALTIES"),
        ("il a blessé trois policiers", "CASUALTIES"),
        ("tuant au moins deux civils", "CASUALTIES"),
        ("5 000 francs CFA", "MONEY"),
        ("dix livres sterling", "MONEY"),
        ("65 milliards", "AMOUNT"),
        ("30 %", "AMOUNT"),
    ],
)
def test_an_amount_is_money_people_hurt_or_something_else(sentence: str, kind: str) -> None:
    assert [each.kind for each in find_amounts(sentence)] == [kind]
