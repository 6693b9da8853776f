"""A name in the news is the place a reader takes it for, or none."""

import pytest

from pipeline.enrich.places import Mentioned, called_after, capital_of, lies_in_one_country, resolve


@pytest.mark.parametrize(
    ("name", "country", "geonames_id"),
    [
        ("France", "FRA", 3017382),
        ("Etats-Unis", "USA", 6252001),
        ("l'Allemagne", "DEU", 2921044),
        ("Birmanie", "MMR", 1327865),
        ("RDC", "COD", 203312),
    ],
)
def test_a_country_is_a_country_before_it_is_a_village(name: str, country: str, geonames_id: int) -> None:
    place = resolve(name)
    assert place is not None
    assert (place.kind, place.country, place.geonames_id) == ("country", country, geonames_id)


@pytest.mark.parametrize(
    ("name", "country", "geonames_id"),
    [
        ("Kiev", "UKR", 703448),
        ("Bakhmout", "UKR", 713174),
        ("Pékin", "CHN", 1816670),
        ("La Haye", "NLD", 2747373),
        ("Gaza", "PSE", 281133),
        ("Washington", "USA", 4140963),
        ("Notre-Dame-des-Landes", "FRA", 2990039),
    ],
)
def test_a_french_name_finds_its_town_with_coordinates(name: str, country: str, geonames_id: int) -> None:
    place = resolve(name)
    assert place is not None
    assert (place.kind, place.country, place.geonames_id) == ("town", country, geonames_id)
    assert place.lat is not None
    assert place.lon is not None


@pytest.mark.parametrize(
    ("name", "country"),
    [("Cisjordanie", "PSE"), ("Donbass", "UKR"), ("Ramstein", "DEU"), ("Drôme", "FRA"), ("Outre-mer", "FRA")],
)
def test_territories_and_sites_the_gazetteer_lacks_have_their_country(name: str, country: str) -> None:
    place = resolve(name)
    assert place is not None
    assert (place.kind, place.country) == ("region", country)


def test_an_area_named_for_a_town_has_its_country_but_not_its_point() -> None:
    place = resolve("oblast de Donetsk")
    assert place is not None
    assert (place.kind, place.country, place.geonames_id, place.lat) == ("region", "UKR", None, None)


def test_the_countries_an_article_speaks_of_decide_between_namesakes() -> None:
    at_home, abroad = resolve("Valence"), resolve("Valence", mentioned=Mentioned({"ESP"}))
    assert at_home is not None
    assert abroad is not None
    assert (at_home.country, abroad.country) == ("FRA", "ESP")


def test_a_demonym_points_to_a_namesake_a_little_less_than_a_name_does() -> None:
    spoken_of = resolve("Salisbury", mentioned=Mentioned(by_demonym={"GBR"}))
    both = resolve("Rafah", mentioned=Mentioned({"EGY"}, {"PSE"}))
    assert spoken_of is not None
    assert both is not None
    assert (spoken_of.country, both.country) == ("GBR", "PSE")


@pytest.mark.parametrize(
    ("words", "one"),
    [
        ("terminal de l'aéroport", True),
        ("frontière turco-syrienne", False),
        ("mer de Chine", False),
        ("au large de la Mer Rouge", False),
        ("maire", True),
        ("aéroport international", True),
        ("Lorient", True),
        ("front de mer", True),
        ("Atlantique", False),
        ("zone euro", False),
        ("Lune", False),
        ("pays", True),
        ("nord-est du pays", True),
        ("pays voisins", False),
        ("Afrique de l'Ouest", False),
    ],
)
def test_seas_borders_and_parts_of_the_world_lie_in_no_one_country(words: str, one: bool) -> None:
    assert lies_in_one_country(words) is one


def test_a_town_of_a_country_the_article_never_names_is_not_taken_for_a_street_of_one_it_names() -> None:
    assert resolve("Rivoli") is not None
    assert resolve("Rivoli", mentioned=Mentioned({"FRA"})) is None
    italian = resolve("Rivoli", mentioned=Mentioned({"FRA", "ITA"}))
    assert italian is not None
    assert italian.country == "ITA"


def test_a_capital_gives_way_to_a_large_namesake_where_only_the_latters_country_is_named() -> None:
    found = [resolve("Tripoli", mentioned=Mentioned(named)) for named in (set(), {"LBN"}, {"LBN", "LBY"})]
    assert [place and place.country for place in found] == ["LBY", "LBN", "LBY"]


@pytest.mark.parametrize(
    ("name", "country"), [("El-Obeid", "SDN"), ("Hodeïda", "YEM"), ("Shanghaï", "CHN"), ("Al-Hoceïma", "MAR")]
)
def test_a_hyphen_or_an_accent_hides_no_town(name: str, country: str) -> None:
    place = resolve(name, mentioned=Mentioned({country}))
    assert place is not None
    assert place.country == country


@pytest.mark.parametrize(
    ("words", "name", "only"),
    [
        ("rue d'Arcole", "Arcole", True),
        ("frontière avec la Libye", "Libye", True),
        ("ambassade de Taïwan", "Taïwan", True),
        ("consulat de Lyon", "Lyon", False),
        ("place Tahrir du Caire", "Caire", False),
        ("Libye", "Libye", False),
    ],
)
def test_a_street_a_coast_and_a_mission_are_called_after_a_place_they_are_not_in(
    words: str, name: str, only: bool
) -> None:
    assert called_after(words, name) is only


@pytest.mark.parametrize("name", ["Bardarach", "Quelque part", "maison", ""])
def test_what_is_no_known_place_stays_unresolved(name: str) -> None:
    assert resolve(name) is None


def test_a_planet_or_a_point_of_the_compass_is_no_town() -> None:
    for name in ("Jupiter", "Mars", "Est", "Occident"):
        place = resolve(name)
        assert place is not None
        assert (place.kind, place.country, place.lat) == ("region", None, None)


def test_a_seat_of_government_names_its_country() -> None:
    assert [capital_of(name) for name in ("Kiev", "l'Élysée", "Maison-Blanche", "Lyon")] == [
        "UKR",
        "FRA",
        "USA",
        None,
    ]
