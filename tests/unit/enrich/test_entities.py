"""Mentions of one article that mean the same thing get the same id, and only those."""

from datetime import date

from pipeline.enrich.entities import link
from pipeline.enrich.mentions import find_mentions
from pipeline.events import Entity, Mention
from tests.unit.enrich.examples import article, model

DAY = date(2023, 4, 21)


def _linked(text: str, names: dict[str, str], day: date = DAY) -> tuple[list[Mention], dict[str, Entity]]:
    read = article(text)
    readings = model(names).read([text[each.start : each.end] for each in read.sentences])
    return link(read, find_mentions(read, readings), day)


def _names(text: str, names: dict[str, str], day: date = DAY) -> list[tuple[str, str]]:
    mentions, entities = _linked(text, names, day)
    return [(each.text, entities[each.entity_id].name) for each in mentions if each.entity_id]


def test_a_surname_means_the_person_named_in_full() -> None:
    found = _names(
        "Anne Durand est arrivée. Mme Durand a parlé. Durand s'est tue.",
        {"Anne Durand": "PER", "Mme Durand": "PER", "Durand": "PER"},
    )
    assert found == [("Anne Durand", "Anne Durand"), ("Mme Durand", "Anne Durand"), ("Durand", "Anne Durand")]


def test_a_surname_before_the_full_name_is_linked_too() -> None:
    assert _names("M. Petit a dit non. Paul Petit reste.", {"M. Petit": "PER", "Paul Petit": "PER"}) == [
        ("M. Petit", "Paul Petit"),
        ("Paul Petit", "Paul Petit"),
    ]


def test_two_people_of_one_surname_stay_two_and_the_surname_goes_to_the_last_named() -> None:
    found = _names(
        "Bill Clinton a parlé. Hillary Clinton aussi. Mme Clinton est partie.",
        {"Bill Clinton": "PER", "Hillary Clinton": "PER", "Mme Clinton": "PER"},
    )
    assert [name for _, name in found] == ["Bill Clinton", "Hillary Clinton", "Hillary Clinton"]


def test_a_body_is_one_in_every_spelling() -> None:
    mentions, entities = _linked(
        "L'Onu et l'ONU. Les Nations unies aussi.", {"Onu": "ORG", "ONU": "ORG", "Nations unies": "ORG"}
    )
    assert len({each.entity_id for each in mentions}) == 1
    [un] = entities.values()
    assert (un.name, un.country) == ("ONU", "UNO")


def test_a_well_known_body_is_no_place_whatever_the_model_says() -> None:
    mentions, entities = _linked("L'Otan attend.", {"Otan": "LOC"})
    [otan] = entities.values()
    assert (otan.type, otan.country, otan.geonames_id) == ("ORG", "IGO", None)
    assert [each.type for each in mentions] == ["ORG"]


def test_an_acronym_in_brackets_means_the_body_before_it() -> None:
    mentions, entities = _linked(
        "La Ligue des pêcheurs bretons (LPB) proteste. La LPB défile.",
        {"Ligue des pêcheurs bretons": "ORG", "LPB": "ORG"},
    )
    assert len({each.entity_id for each in mentions}) == 1
    assert len(entities) == 1


def test_the_first_word_of_a_body_s_name_means_it_where_only_one_begins_so() -> None:
    found = _names(
        "L'Otan se réunit. L'Alliance attend. L'Union des pêcheurs et l'Union des maires disent non à l'Union.",
        {"Otan": "ORG", "Alliance": "ORG", "Union des pêcheurs": "ORG", "Union des maires": "ORG", "Union": "ORG"},
    )
    assert found == [
        ("Otan", "Otan"),
        ("Alliance", "Otan"),
        ("Union des pêcheurs", "Union des pêcheurs"),
        ("Union des maires", "Union des maires"),
        ("Union", "Union"),
    ]


def test_two_names_of_one_town_are_one_entity() -> None:
    mentions, entities = _linked("De Kiev à Kyiv.", {"Kiev": "LOC", "Kyiv": "LOC"})
    assert len({each.entity_id for each in mentions}) == 1
    [kiev] = entities.values()
    assert (kiev.country, kiev.geonames_id) == ("UKR", 703448)


def test_a_title_gives_country_and_sectors() -> None:
    _, entities = _linked("Le ministre danois de la Défense Mads Holm a parlé.", {"Mads Holm": "PER"})
    [minister] = entities.values()
    assert (minister.country, minister.sectors) == ("DNK", ("GOV", "MIL"))


def test_a_title_further_on_does_not_reach_another_person() -> None:
    _, entities = _linked("Le président russe a reçu Mads Holm.", {"Mads Holm": "PER"})
    [holm] = entities.values()
    assert holm.sectors == () or holm.country is None


def test_the_sectors_of_the_well_known_are_those_of_the_article_s_day() -> None:
    def obama(day: date) -> tuple[str | None, tuple[str, ...]]:
        [entity] = _linked("Barack Obama a parlé.", {"Barack Obama": "PER"}, day)[1].values()
        return entity.country, entity.sectors

    assert obama(date(2016, 5, 1)) == ("USA", ("GOV",))
    assert obama(date(2018, 5, 1)) == ("USA", ())


def test_a_famous_surname_is_not_given_to_a_namesake() -> None:
    _, entities = _linked("Melania Trump a parlé. Mme Trump sourit.", {"Melania Trump": "PER", "Mme Trump": "PER"})
    [melania] = entities.values()
    assert (melania.name, melania.country) == ("Melania Trump", None)


def test_ids_are_the_same_every_time_and_differ_between_articles() -> None:
    one, again = _linked("A Kiev.", {"Kiev": "LOC"})[1], _linked("A Kiev.", {"Kiev": "LOC"})[1]
    other = _linked("Près de Kiev.", {"Kiev": "LOC"})[1]
    assert list(one) == list(again)
    assert list(one) != list(other)


def test_dates_and_amounts_are_mentions_without_an_entity() -> None:
    mentions, entities = _linked("Jeudi, 29 morts.", {"Jeudi": "DATE"})
    assert [(each.type, each.entity_id) for each in mentions] == [("DATE", None), ("CASUALTIES", None)]
    assert entities == {}
