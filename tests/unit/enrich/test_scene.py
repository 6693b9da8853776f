"""Where an article plays: the country of actors whose own words tell none."""

import pytest

from pipeline.enrich.actors import may_be_local
from pipeline.enrich.coder import code_events
from pipeline.enrich.entities import link
from pipeline.enrich.mentions import find_mentions
from pipeline.enrich.scene import Scene
from pipeline.events import NewsEvent
from tests.unit.enrich.examples import article, model

NAMES = {"Bamako": "LOC", "Mali": "LOC", "Lyon": "LOC", "Otan": "ORG", "Niamey": "LOC", "police": "ORG"}


def scene(text: str) -> Scene:
    read = article(text)
    readings = model(NAMES).read([text[s.start : s.end] for s in read.sentences])
    mentions, entities = link(read, find_mentions(read, readings), None)
    return Scene(read, mentions, entities)


def events(text: str, **triggers: str) -> list[NewsEvent]:
    read = article(text)
    readings = model(NAMES, triggers).read([text[s.start : s.end] for s in read.sentences])
    mentions, entities = link(read, find_mentions(read, readings), None)
    return code_events(read, readings, mentions, entities, [])


def test_a_sentence_plays_where_it_says() -> None:
    found = scene("Mali : la junte promet des élections. Un accord a été signé à Niamey. La police a chargé.")
    assert [found.country(n) for n in range(3)] == ["MLI", "NER", "MLI"]


def test_a_demonym_tells_the_scene() -> None:
    assert scene("La police malienne est venue. Elle est repartie.").country(1) == "MLI"


def test_an_article_about_nowhere_has_no_scene() -> None:
    assert scene("La police est venue. Elle est repartie.").country(1) is None


def test_an_alliance_is_no_scene() -> None:
    assert scene("L'Otan se réunit. La police a chargé.").country(1) is None


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("police", True),
        ("manifestants", True),
        ("cinquantaine de pays", False),
        ("Occidentaux", False),
        ("alliés de l'Ukraine", False),
        ("communauté internationale", False),
    ],
)
def test_who_may_be_of_the_country_an_article_plays_in(text: str, local: bool) -> None:
    assert may_be_local(text) is local


def test_what_the_article_tells_and_the_sentence_does_not_is_marked_as_inferred() -> None:
    found = events("Mali : la police charge. Bamako accuse.", charge="ASSAULT", accuse="ACCUSE")
    assert [([a.country for a in e.actors], e.inferred) for e in found] == [
        (["MLI", "MLI"], ("actors.country",)),
        (["MLI"], ()),
    ]
