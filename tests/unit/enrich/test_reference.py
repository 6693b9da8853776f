"""Descriptions and pronouns mean the one person they can mean, or nobody."""

import pytest

from pipeline.enrich.entities import link
from pipeline.enrich.mentions import find_mentions
from pipeline.enrich.reference import References
from pipeline.ports import Span
from tests.unit.enrich.examples import article, model

NAMES = {
    "Jens Stoltenberg": "PER",
    "M. Stoltenberg": "PER",
    "Volodymyr Zelensky": "PER",
    "Awa Diallo": "PER",
    "Mme Diallo": "PER",
    "Otan": "ORG",
    "Kiev": "LOC",
}


def meant(text: str, words: str) -> str | None:
    """Return the name of whom the last occurrence of `words` means."""
    read = article(text)
    readings = model(NAMES).read([text[s.start : s.end] for s in read.sentences])
    mentions, entities = link(read, find_mentions(read, readings), None)
    at = text.rindex(words)
    found = References(read, mentions, entities).resolve(Span(at, at + len(words)))
    return found.name if found else None


OFFICES = (
    "Le secrétaire général de l'Otan Jens Stoltenberg est à Kiev. Il a vu le président ukrainien Volodymyr Zelensky. "
)


@pytest.mark.parametrize(
    ("rest", "words", "who"),
    [
        ("Le patron de l'Otan a promis des armes.", "patron de l'Otan", "Jens Stoltenberg"),
        ("Le président ukrainien l'a remercié.", "président ukrainien", "Volodymyr Zelensky"),
        ("Le chef de l'Etat l'a remercié.", "chef de l'Etat", "Volodymyr Zelensky"),
        ("Le président russe se tait.", "président russe", None),
        ("Le patron de l'usine se tait.", "patron de l'usine", None),
        ("Le dirigeant se tait.", "dirigeant", None),
        ("La police se tait.", "police", None),
    ],
)
def test_a_description_is_the_one_person_of_that_office(rest: str, words: str, who: str | None) -> None:
    assert meant(OFFICES + rest, words) == who


def test_an_office_in_apposition_counts() -> None:
    text = "Awa Diallo, maire de Kiev, est venue. La maire de Kiev a parlé."
    assert meant(text, "maire de Kiev") == "Awa Diallo"


def test_who_held_an_office_once_is_not_meant_by_it() -> None:
    text = "L'ancien président Volodymyr Zelensky est venu. Le président a parlé."
    assert meant(text, "président") is None


def test_an_office_that_two_held_is_nobodys() -> None:
    text = "Le président Volodymyr Zelensky a vu la présidente Awa Diallo. Le président a parlé."
    assert meant(text, "président") is None


@pytest.mark.parametrize(
    ("text", "words", "who"),
    [
        ("Jens Stoltenberg est venu. Il a parlé.", "Il", "Jens Stoltenberg"),
        ("Jens Stoltenberg a vu Awa Diallo. Il a parlé.", "Il", None),
        ("Jens Stoltenberg a reçu Awa Diallo, que ce dernier a saluée.", "ce dernier", "Awa Diallo"),
        ("Mme Diallo est venue. Il a parlé.", "Il", None),
        ("Mme Diallo est venue. Elle a parlé.", "Elle", "Mme Diallo"),
        ("M. Stoltenberg est venu. Elle a parlé.", "Elle", None),
        ("La guerre dure. Il a parlé.", "Il", None),
        ("Le texte fut défendu par Jens Stoltenberg. Il a été adopté.", "Il", None),
    ],
)
def test_a_pronoun_is_the_one_person_named_before_it(text: str, words: str, who: str | None) -> None:
    found = meant(text, words)
    assert found == who or (found is not None and who is not None and found in who)
