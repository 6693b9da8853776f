"""One event told several times in an article is one event."""

import pytest
from msgspec.structs import replace

from pipeline.enrich import read_article
from pipeline.enrich.retold import told_again
from pipeline.events import NewsEvent, SentenceKind
from tests.unit.enrich.examples import NOW, article, model

NAMES = {
    "Jens Stoltenberg": "PER",
    "Volodymyr Zelensky": "PER",
    "Emmanuel Macron": "PER",
    "Olaf Scholz": "PER",
    "Kiev": "LOC",
    "Odessa": "LOC",
    "Ukraine": "LOC",
    "Berlin": "LOC",
    "Moscou": "LOC",
    "Otan": "ORG",
}
TRIGGERS = {
    "rencontré": "CONSULT",
    "reçu": "CONSULT",
    "visite": "CONSULT",
    "réunion": "CONSULT",
    "réunions": "CONSULT",
    "bombardé": "ASSAULT",
    "visé": "ASSAULT",
    "accusé": "ACCUSE",
    "critiqué": "ACCUSE",
}


def told(text: str) -> list[NewsEvent]:
    return list(read_article(article(text), model=model(NAMES, TRIGGERS), now=NOW).events)


def stories(events: list[NewsEvent]) -> int:
    return sum(each.same_as is None for each in events)


def test_the_same_two_people_met_once() -> None:
    first, second = told(
        "Jens Stoltenberg a rencontré Volodymyr Zelensky jeudi. Volodymyr Zelensky a reçu Jens Stoltenberg à Kiev."
    )
    assert (first.same_as, second.same_as) == (None, first.event_id)


def test_date_and_place_are_lent_and_marked() -> None:
    first, second = told(
        "Jens Stoltenberg a rencontré Volodymyr Zelensky jeudi. Volodymyr Zelensky a reçu Jens Stoltenberg à Kiev."
    )
    assert first.place is not None
    assert second.date is not None
    assert (first.place.name, first.inferred) == ("Kiev", ("place",))
    assert (second.date.from_, second.inferred) == ("2023-04-20", ("date",))


def test_a_lent_place_is_proved_by_the_text_it_was_read_from() -> None:
    text = "Jens Stoltenberg a rencontré Volodymyr Zelensky jeudi. Volodymyr Zelensky a reçu Jens Stoltenberg à Kiev."
    place = told(text)[0].place
    assert place is not None
    assert text[place.start : place.end] == "Kiev"


def test_a_definite_noun_means_the_one_event_told_before() -> None:
    first, second = told("Jens Stoltenberg a rencontré jeudi Volodymyr Zelensky. La visite a duré un jour.")
    assert second.same_as == first.event_id
    assert second.date == first.date


def test_a_noun_that_says_itself_which_event_it_means_takes_up_none() -> None:
    events = told("Jens Stoltenberg a rencontré jeudi Volodymyr Zelensky. La visite officielle de mars a duré un jour.")
    assert [each.same_as for each in events] == [None, None]


@pytest.mark.parametrize("noun", ["Une visite", "Sa prochaine visite", "Aucune visite"])
def test_a_noun_that_is_not_definite_means_nothing_told_before(noun: str) -> None:
    events = told(f"Jens Stoltenberg a rencontré jeudi Volodymyr Zelensky. {noun} a duré un jour.")
    assert stories(events) == len(events)


def test_a_definite_noun_that_could_mean_two_events_means_neither() -> None:
    events = told(
        "Jens Stoltenberg a rencontré Volodymyr Zelensky. Emmanuel Macron a reçu Olaf Scholz. La réunion a été brève."
    )
    assert [each.same_as for each in events] == [None, None, None]


@pytest.mark.parametrize(
    "text",
    [
        "Jens Stoltenberg a rencontré Volodymyr Zelensky jeudi. Jens Stoltenberg a rencontré Volodymyr Zelensky lundi.",
        "Emmanuel Macron a reçu Olaf Scholz. Emmanuel Macron a reçu Volodymyr Zelensky.",
        "Moscou a bombardé Kiev. Moscou a bombardé Odessa.",
        "Emmanuel Macron a accusé Moscou. Olaf Scholz a accusé Moscou.",
        "Emmanuel Macron a accusé Moscou. Emmanuel Macron a critiqué Berlin.",
    ],
    ids=["dates", "company", "towns", "actors", "recipients"],
)
def test_what_sets_two_events_apart(text: str) -> None:
    assert stories(told(text)) == 2


def test_of_a_meeting_of_many_each_sentence_names_some() -> None:
    text = "Emmanuel Macron a rencontré Olaf Scholz vendredi. Présidée par Jens Stoltenberg, la réunion a duré."
    met, reunion = told(text)
    assert reunion.same_as is None
    _, of_many = told_again(article(text), [met, replace(reunion, mode="multilateral")])
    assert (of_many.same_as, of_many.date) == (met.event_id, met.date)


@pytest.mark.parametrize(("kind", "joined"), [("heading", True), ("body", False)])
def test_a_lead_tells_its_title_again(kind: SentenceKind, joined: bool) -> None:
    read = article("Volodymyr Zelensky a reçu un hôte. Volodymyr Zelensky a rencontré Jens Stoltenberg jeudi.")
    title, *body = read.sentences
    titled = replace(read, sentences=(replace(title, kind=kind), *body))
    first, second = read_article(titled, model=model(NAMES, TRIGGERS), now=NOW).events
    assert (second.same_as == first.event_id) is joined


def test_events_of_two_types_are_two() -> None:
    events = told("Moscou a bombardé Kiev, et Jens Stoltenberg a accusé Moscou.")
    assert [each.same_as for each in events] == [None, None]


def test_the_same_blame_by_the_same_person_is_one() -> None:
    assert stories(told("Emmanuel Macron a accusé Moscou. Jeudi, Emmanuel Macron a critiqué Moscou.")) == 1


def test_a_third_telling_points_at_the_first() -> None:
    events = told(
        "Emmanuel Macron a accusé Moscou. Emmanuel Macron a critiqué Moscou. Emmanuel Macron a encore critiqué Moscou."
    )
    assert [each.same_as for each in events] == [None, events[0].event_id, events[0].event_id]


def test_an_undated_telling_ties_no_two_dates_together() -> None:
    first = "Emmanuel Macron a accusé Moscou. Emmanuel Macron a critiqué Moscou jeudi."
    events = told(f"{first} Emmanuel Macron a accusé Moscou lundi.")
    assert [each.same_as for each in events] == [None, events[0].event_id, None]
