"""The words of an actor tell its country and sectors."""

from datetime import date

import pytest

from pipeline.enrich.actors import Role, known_actor, participant, role_in
from pipeline.enrich.entities import link
from pipeline.enrich.mentions import find_mentions
from pipeline.enrich.plover import ontology
from pipeline.enrich.tables import rows
from pipeline.events import Participant
from pipeline.ports import Span
from tests.unit.enrich.examples import article, model


@pytest.mark.parametrize(
    ("text", "country", "sectors"),
    [
        ("ministre ukrainien de la Défense", "UKR", ("GOV", "MIL")),
        ("secrétaire américain à la Défense", "USA", ("GOV", "MIL")),
        ("armée israélienne", "ISR", ("MIL",)),
        ("soldats français", "FRA", ("MIL",)),
        ("police", None, ("COP",)),
        ("président de la République tchèque", "CZE", ("GOV",)),
        ("députés polonais", "POL", ("LEG",)),
        ("parquet de Paris", None, ("JUD",)),
        ("ancien président brésilien", "BRA", ("ELI",)),
        ("ex-ministre", None, ("ELI",)),
        ("syndicats", None, ("LAB",)),
        ("président directeur général", None, ("BUS",)),
        ("secrétaire général de l'association", None, ()),
        ("procureur général", None, ("JUD",)),
        ("général Surovikine", None, ("MIL",)),
        ("Marine Delorme", None, ()),
        ("marine américaine", "USA", ("MIL",)),
        ("Pape Diouf", None, ()),
        ("pape François", "VAT", ("REL",)),
        ("présidente de la Chambre des représentants", None, ("LEG",)),
        ("Européens", "EUR", ()),
        ("garde des Sceaux", None, ("GOV", "JUD")),
        ("marins siciliens", "ITA", ()),
        ("République islamique", "IRN", ("GOV",)),
        ("République islamique de Mauritanie", "MRT", ()),
        ("il", None, ()),
    ],
)
def test_role_in_the_words(text: str, country: str | None, sectors: tuple[str, ...]) -> None:
    assert role_in(text) == Role(country, sectors)


def test_a_capital_that_acts_is_its_government() -> None:
    read = article("Kiev réclame des chars.")
    who = participant(read, Span(0, 4), [], {})
    assert (who.text, who.country) == ("Kiev", "UKR")


@pytest.mark.parametrize(
    ("text", "country"), [("talibans", "AFG"), ("Facebook", "MNC"), ("mineurs", None), ("républicains", None)]
)
def test_a_body_everybody_knows_is_known_though_the_model_names_no_organisation(text: str, country: str | None) -> None:
    assert participant(article(text), Span(0, len(text)), [], {}).country == country


@pytest.mark.parametrize(
    ("text", "body", "sectors"),
    [
        ("présidente du Rassemblement national", "Rassemblement national", ("PTY",)),
        ("président de la SNCF", "SNCF", ("BUS",)),
        ("président de la Commission européenne", "Commission européenne", ("GOV",)),
        ("président du Mouvement pour le lac", "Mouvement pour le lac", ("GOV",)),
    ],
)
def test_who_presides_over_a_known_body_is_of_its_sector(text: str, body: str, sectors: tuple[str, ...]) -> None:
    assert _whole(text, body, "ORG").sectors == sectors


def _whole(text: str, name: str, type_: str) -> Participant:
    """Return the participant that `text` is, in an article where the model found `name` in it."""
    read = article(text)
    readings = model({name: type_}).read([text])
    mentions, entities = link(read, find_mentions(read, readings), date(2023, 4, 21))
    return participant(read, Span(0, len(text)), mentions, entities)


def test_somebody_of_a_body_has_its_country_but_is_not_it() -> None:
    spokesman = _whole("porte-parole de l'Otan", "Otan", "ORG")
    assert (spokesman.entity_id, spokesman.country, spokesman.sectors) == (None, "IGO", ("MIL",))


def test_the_allies_of_a_country_are_not_that_country() -> None:
    allies = _whole("alliés de l'Ukraine", "Ukraine", "LOC")
    assert (allies.entity_id, allies.country) == (None, None)


def test_a_person_with_a_title_is_the_person() -> None:
    head = _whole("patron de l'Otan, Jens Stoltenberg", "Jens Stoltenberg", "PER")
    assert (head.name, head.country) == ("Jens Stoltenberg", "IGO")


def test_an_office_is_held_on_its_days_only() -> None:
    during, after = (
        known_actor("Jens Stoltenberg", date(2023, 4, 21)),
        known_actor("Jens Stoltenberg", date(2024, 12, 1)),
    )
    assert during is not None
    assert during.role == Role("IGO", ("MIL",))
    assert after is not None
    assert after.role == Role(None)


def test_two_terms_of_office_are_told_apart() -> None:
    terms = [known_actor("Donald Tusk", date(year, 6, 1)) for year in (2017, 2024)]
    assert [term.role.country if term else None for term in terms] == ["EUR", "POL"]


def test_the_tables_use_only_codes_plover_has() -> None:
    facts = ontology()
    for _, _, type_, country, sectors, _, _ in rows("actors.tsv", 7):
        assert type_ in ("PER", "ORG")
        assert set(sectors.split()) <= set(facts.sectors)
        assert len(country) == 3
    for _, sectors, country in rows("sectors.tsv", 3):
        assert set(sectors.split()) <= set(facts.sectors)
        assert len(country) in (0, 3)
