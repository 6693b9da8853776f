"""An event told by two words of a sentence is one event; two events are two."""

import pytest
from msgspec.structs import replace

from pipeline.enrich.findings import own_events, told_once
from pipeline.ports import EventSpan, Span

RUSSIA, UKRAINE, KIEV, ODESSA = Span(0, 6), Span(10, 17), Span(20, 24), Span(30, 36)
ATTACK = EventSpan(
    type="ASSAULT",
    mode=None,
    status="asserted",
    contexts=(),
    confidence=0.9,
    trigger=Span(7, 9),
    actors=(RUSSIA,),
    recipients=(),
    places=(),
)


def test_two_words_for_one_attack_are_one_event_with_all_that_both_tell() -> None:
    (found,) = told_once([ATTACK, replace(ATTACK, trigger=Span(18, 19), recipients=(KIEV,), places=(ODESSA,))])
    assert (found.trigger, found.actors, found.recipients, found.places) == (
        Span(7, 9),
        (RUSSIA,),
        (KIEV,),
        (ODESSA,),
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(ATTACK, type="ACCUSE"),
        replace(ATTACK, actors=(UKRAINE,), recipients=(RUSSIA,)),
        replace(ATTACK, actors=()),
    ],
)
def test_another_type_or_other_participants_are_another_event(other: EventSpan) -> None:
    assert told_once([ATTACK, other]) == [ATTACK, other]


def test_another_mode_or_recipient_is_another_event() -> None:
    drone, missile = replace(ATTACK, mode="drone"), replace(ATTACK, mode="heavy-weapons")
    assert len(told_once([drone, missile])) == 2
    assert len(told_once([replace(ATTACK, recipients=(KIEV,)), replace(ATTACK, recipients=(ODESSA,))])) == 2


def test_without_an_actor_a_common_recipient_makes_them_one() -> None:
    victims = replace(ATTACK, actors=(), recipients=(KIEV,))
    assert len(told_once([replace(ATTACK, recipients=(KIEV,)), victims])) == 1


@pytest.mark.parametrize(
    ("sentence", "own"),
    [
        ("Kiev attend depuis le début de l'invasion russe", []),
        ("Kiev attend depuis la guerre", []),
        ("Kiev pleure depuis l'attaque de mardi", ["attaque"]),
        ("Moscou a préparé l'invasion", ["invasion"]),
        ("La Pologne a commencé à livrer des avions", ["livrer"]),
        ("La Pologne a commencé un siège", ["a commencé"]),
        ("La Pologne a commencé à Genève un accord, livrer", ["a commencé", "livrer"]),
    ],
)
def test_a_war_that_marks_a_time_and_a_verb_that_begins_a_deed_are_no_events(sentence: str, own: list[str]) -> None:
    words = ("invasion", "guerre", "attaque", "a commencé", "livrer")
    found = [
        replace(ATTACK, type=f"TYPE {n}", trigger=Span(sentence.index(word), sentence.index(word) + len(word)))
        for n, word in enumerate(words)
        if word in sentence
    ]
    assert [sentence[e.trigger.start : e.trigger.end] for e in own_events(sentence, found)] == own


@pytest.mark.parametrize(
    ("sentence", "trigger"),
    [
        ("La Pologne a commencé à livrer des avions", "livrer"),
        ("La Pologne a commencé à les livrer", "livrer"),
        ("La Pologne a commencé son siège à Genève", "a commencé"),
        ("La Pologne a commencé à Genève", "a commencé"),
    ],
)
def test_an_event_that_has_begun_is_called_by_its_deed(sentence: str, trigger: str) -> None:
    at = sentence.index("a commencé")
    [event] = own_events(sentence, [replace(ATTACK, trigger=Span(at, at + 10))])
    assert sentence[event.trigger.start : event.trigger.end] == trigger


@pytest.mark.parametrize(
    ("sentence", "word", "events"),
    [
        ("Ils sont plus prudents que Kiev ne l'aurait voulu.", "voulu", 0),
        ("Ils ont livré moins que Kiev n'en réclame.", "réclame", 0),
        ("Ils ont livré moins que Kiev n'en réclame.", "livré", 1),
        ("À moins que Paris ne retire ses troupes, elles se battront.", "retire", 1),
        ("Il y a plus de blindés que Kiev n'a pas livrés.", "livrés", 1),
        ("Ils préparent leur propre offensive.", "leur propre", 0),
        ("Ils préparent leur propre offensive.", "offensive", 1),
    ],
)
def test_what_is_only_compared_with_and_whose_something_is_are_no_events(sentence: str, word: str, events: int) -> None:
    at = sentence.index(word)
    assert len(own_events(sentence, [replace(ATTACK, trigger=Span(at, at + len(word)))])) == events


@pytest.mark.parametrize(
    ("sentence", "events"),
    [
        ("des missiles pour frapper les dépôts", 0),
        ("des drones capables de frapper Moscou", 0),
        ("Kiev a pu frapper les dépôts", 1),
    ],
)
def test_an_assault_that_is_only_a_purpose_is_no_event(sentence: str, events: int) -> None:
    at = sentence.index("frapper")
    assert len(own_events(sentence, [replace(ATTACK, trigger=Span(at, at + 7))])) == events
