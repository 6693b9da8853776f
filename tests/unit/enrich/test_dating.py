"""When an event was, by the words of its sentence, and what that says of its status."""

from datetime import UTC, datetime

import pytest

from pipeline.enrich import read_article
from pipeline.events import EnrichedArticle
from tests.unit.enrich.examples import NOW, article, model

READER = model({"Kiev": "LOC", "Otan": "ORG"}, {"attaque": "ASSAULT", "fustigé": "ACCUSE"})


def _read(text: str) -> EnrichedArticle:
    return read_article(article(text), model=READER, now=NOW)


def test_without_a_publication_date_a_weekday_dates_nothing() -> None:
    undated = read_article(article("Une attaque jeudi à Kiev.", published=None), model=READER, now=NOW)
    assert undated.times == ()
    assert [event.date for event in undated.events] == [None]


def test_the_date_that_opens_a_sentence_dates_all_its_events() -> None:
    events = _read("Jeudi, une attaque a visé Kiev et l'Otan l'a fustigé.").events
    assert [event.date.from_ if event.date else None for event in events] == ["2023-04-20", "2023-04-20"]


def test_a_date_that_only_says_which_event_a_noun_means_is_not_copied() -> None:
    [event] = _read("Kiev a fustigé l'Otan après les promesses non tenues de février 2022.").events
    assert event.date is None


def test_what_happened_on_the_day_of_the_newsroom_is_not_ahead() -> None:
    reader = model({"Kiev": "LOC", "Moscou": "LOC"}, {"attaque": "ASSAULT"})
    night = article("Ce vendredi, Kiev attaque Moscou.", published=datetime(2023, 4, 20, 22, 30, tzinfo=UTC))
    (event,) = read_article(night, model=reader, now=NOW).events
    assert event.date is not None
    assert (event.date.from_, event.status) == ("2023-04-21", "asserted")


def test_until_when_is_not_when() -> None:
    reader = model({"Kiev": "LOC", "Moscou": "LOC"}, {"attaque": "ASSAULT"})
    (event,) = read_article(article("Kiev attaque Moscou jusqu'au 3 mai."), model=reader, now=NOW).events
    assert (event.date, event.status) == (None, "asserted")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Kiev accuse Moscou depuis hier.", "asserted"),
        ("Le 3 mars 2021, Kiev attaque Moscou.", "historical"),
        ("Le 19 avril, Kiev attaque Moscou.", "asserted"),
        ("Le 30 avril 2023, Kiev attaque Moscou.", "future"),
        ("Le 30 avril 2023, Kiev accuse Moscou.", "asserted"),
        ("Kiev attaque Moscou.", "asserted"),
    ],
)
def test_the_date_of_an_event_settles_its_status(text: str, status: str) -> None:
    reader = model({"Kiev": "LOC", "Moscou": "LOC"}, {"attaque": "ASSAULT", "accuse": "ACCUSE"})
    (event,) = read_article(article(text), model=reader, now=NOW).events
    assert event.status == status


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("Le site est bloqué depuis le 2 avril.", ("2023-04-02", "2023-04-03", "day")),
        ("Le site est bloqué depuis mardi soir.", ("2023-04-18", "2023-04-19", "day")),
        ("Le site est bloqué depuis mars.", ("2023-03-01", "2023-04-01", "month")),
        ("Le site est bloqué depuis 2017.", ("2017-01-01", "2018-01-01", "year")),
        ("Le site est bloqué depuis trois semaines.", ("2023-03-31", "2023-04-22", "range")),
    ],
)
def test_what_has_lasted_since_a_day_began_on_it_and_is_not_over(text: str, when: tuple[str, str, str]) -> None:
    (event,) = read_article(article(text), model=model({}, {"bloqué": "COERCE"}), now=NOW).events
    assert event.date is not None
    assert (event.date.from_, event.date.to, event.date.granularity) == when
    assert event.status == "asserted"


@pytest.mark.parametrize(
    "text",
    [
        "Depuis mardi, la police a fouillé et bloqué le site.",
        "Le site est bloqué par Moscou, que Kiev accuse depuis mardi.",
        "Il est bloqué à Kiev (il y est né le 31 décembre 1977).",
    ],
)
def test_a_time_that_is_another_ones_dates_nothing(text: str) -> None:
    (event,) = read_article(article(text), model=model({}, {"bloqué": "COERCE"}), now=NOW).events
    assert event.date is None


def test_a_deadline_is_no_date_of_what_is_asked_for_but_one_of_a_deed() -> None:
    reader = model({"Kiev": "LOC"}, {"réclame": "REQUEST", "attaquer": "ASSAULT"})
    asked, deed = read_article(
        article("Kiev réclame des armes avant le 3 mai. Moscou veut attaquer avant le 3 mai."), model=reader, now=NOW
    ).events
    assert asked.date is None
    assert deed.date is not None
    assert deed.date.to == "2023-05-03"
