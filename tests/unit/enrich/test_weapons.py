"""The weapon a sentence names is the mode of its assault."""

import pytest

from pipeline.enrich import read_article
from pipeline.enrich.plover import ontology
from pipeline.enrich.tables import rows
from pipeline.enrich.weapons import mode_by_weapon
from tests.unit.enrich.examples import NOW, article, model


@pytest.mark.parametrize(
    ("sentence", "mode"),
    [
        ("Une attaque de drones a visé Kiev.", "drone"),
        ("Des frappes aériennes ont visé Sanaa.", "aerial"),
        ("Trois hommes ont été égorgés.", "primitive"),
        ("Des roquettes et des drones ont visé la ville.", None),
        ("La ville a été attaquée.", None),
        ("Le gaz a manqué à la population.", None),
    ],
)
def test_one_kind_of_weapon_tells_the_mode(sentence: str, mode: str | None) -> None:
    assert mode_by_weapon(sentence) == mode


def test_every_mode_of_the_table_is_one_of_assault() -> None:
    assert {mode for mode, *_ in rows("weapons.tsv", 3)} <= set(ontology().types["ASSAULT"].modes)


def test_only_the_one_assault_of_a_sentence_takes_its_weapon() -> None:
    reader = model({}, {"attaque": "ASSAULT", "assaut": "ASSAULT", "accuse": "ACCUSE"})
    one, other = "Une attaque de drones, Kiev accuse.", "Une attaque de drones et un assaut."
    modes = lambda text: [(e.type, e.mode) for e in read_article(article(text), model=reader, now=NOW).events]  # noqa: E731
    assert modes(one) == [("ASSAULT", "drone"), ("ACCUSE", None)]
    assert modes(other) == [("ASSAULT", None), ("ASSAULT", None)]
