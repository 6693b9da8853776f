"""An article comes out with everything read of it; every span proves itself by the text."""

import time
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.adapters.memory_model import MemoryModel
from pipeline.codec import decode, encode, envelope
from pipeline.enrich import enrich, read_article
from pipeline.events import Article, EnrichedArticle, Event, RawArticle, Withdrawn
from pipeline.outcome import Emitted
from pipeline.ports import EntitySpan, EventSpan, ModelInfo, ModelReading, Span
from tests.unit.enrich.examples import NOW, article, model

NAMES = {"Otan": "ORG", "Kiev": "LOC", "Jens Stoltenberg": "PER", "M. Stoltenberg": "PER", "jeudi": "DATE"}
TRIGGERS = {"attaque": "ASSAULT", "entretenu": "CONSULT", "fustigé": "ACCUSE"}
MODEL = model(NAMES, TRIGGERS)


class _PlacesOnly(MemoryModel):
    """Names no party to an event, as a model that sees but its place."""

    def read(self, sentences: Sequence[str]) -> list[ModelReading]:
        return [
            ModelReading(r.entities, tuple(replace(e, actors=(), recipients=()) for e in r.events))
            for r in super().read(sentences)
        ]


def _read(text: str) -> EnrichedArticle:
    return read_article(article(text), model=MODEL, now=NOW)


def _event(data: Article | Withdrawn | RawArticle) -> Event:
    return Event(envelope(data, time=NOW, cause=None), data)


def _withdrawn() -> Withdrawn:
    return Withdrawn(
        article_id=article("x").article_id,
        revision=2,
        source="test",
        url=None,
        reason="HTTP 410",
        fetched_at=NOW,
    )


def test_one_outcome_per_input_in_the_same_order_and_a_withdrawal_goes_through() -> None:
    outcomes = enrich(
        [_event(article("A Kiev.")), _event(_withdrawn()), _event(article("L'Otan."))], model=MODEL, now=NOW
    )
    emitted = [outcome.data for outcome in outcomes if isinstance(outcome, Emitted)]
    assert [type(each).__name__ for each in emitted] == ["EnrichedArticle", "Withdrawn", "EnrichedArticle"]
    assert emitted[1] == _withdrawn()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Les alliés sont réunis vendredi à Kiev.", "CONSULT"),
        ("Les alliés sont réunis lundi prochain à Kiev.", "AGREE"),
        ("Les alliés sont réunis à Kiev.", "AGREE"),
        ("Les alliés se réuniront vendredi à Kiev.", "AGREE"),
    ],
)
def test_a_meeting_told_as_held_is_no_promise_of_one(text: str, kind: str) -> None:
    promising = model(NAMES, {"sont réunis": "AGREE", "se réuniront": "AGREE"})
    [event] = read_article(article(text), model=promising, now=NOW).events
    assert event.type == kind


def test_who_did_what_to_whom_where_and_when() -> None:
    enriched = _read("M. Stoltenberg s'est entretenu jeudi à Kiev. Jens Stoltenberg dirige l'Otan.")
    [event] = enriched.events
    assert (event.type, event.cameo_root, event.trigger.text) == ("CONSULT", "04", "entretenu")
    [actor] = event.actors
    assert (actor.text, actor.name, actor.country) == ("M. Stoltenberg", "Jens Stoltenberg", "IGO")
    assert event.place is not None
    assert (event.place.text, event.place.country, event.place.geonames_id) == ("Kiev", "UKR", 703448)
    assert event.date is not None
    assert (event.date.from_, event.date.granularity) == ("2023-04-20", "day")
    assert event.sentence.text == "M. Stoltenberg s'est entretenu jeudi à Kiev."


@pytest.mark.parametrize(
    ("text", "recipients"),
    [
        ("Une attaque russe a visé Kiev.", ["Kiev"]),
        ("Une attaque contre Kiev a échoué.", ["Kiev"]),
        ("Une attaque de drones a frappé le port de Kiev.", ["Kiev"]),
        ("Une attaque a eu lieu à Kiev.", []),
        ("Des drones ont mené une attaque et assiègent Kiev.", ["Kiev"]),
        ("Une attaque a fait deux morts sur la route de Kiev.", []),
    ],
)
def test_a_place_that_an_attack_is_aimed_at_is_its_recipient(text: str, recipients: list[str]) -> None:
    only_places = _PlacesOnly(NAMES, TRIGGERS)
    [event] = read_article(article(text), model=only_places, now=NOW).events
    assert [each.text for each in event.recipients] == recipients
    assert [(each.country, each.sectors) for each in event.recipients] == [("UKR", ())] * len(recipients)


def test_a_place_that_is_only_described_has_the_country_of_the_scene_and_says_so() -> None:
    text = (
        "La police malienne a tiré. Une attaque a eu lieu dans un marché. Une attaque a eu lieu en mer."
        " Une attaque a eu lieu à l'ambassade russe."
    )
    places = _PlacesOnly({"marché": "LOC", "mer": "LOC", "ambassade russe": "LOC"}, TRIGGERS)
    events = read_article(article(text), model=places, now=NOW).events
    assert [(e.place and e.place.country, e.inferred) for e in events] == [
        ("MLI", ("place.country",)),
        (None, ()),
        ("MLI", ("place.country",)),
    ]


def test_a_place_off_a_coast_or_that_stands_for_a_country_in_another_is_not_in_it() -> None:
    text = "Une attaque à {}. En Ukraine, une attaque à {}. La police malienne a lancé une attaque à {}."
    words = ("la frontière avec la Libye", "un port d'Ukraine", "l'ambassade d'Ukraine")
    places = _PlacesOnly({"Libye": "LOC", "Ukraine": "LOC", **dict.fromkeys(words, "LOC")}, TRIGGERS)
    events = read_article(article(text.format(*words)), model=places, now=NOW).events
    assert [e.place and (e.place.country, e.place.geonames_id) for e in events] == [
        (None, None),
        ("UKR", 690791),
        ("MLI", None),
    ]


def test_an_article_of_a_hundred_thousand_characters_is_read_in_linear_time() -> None:
    text = (
        "M. Stoltenberg s'est entretenu jeudi à Kiev. Le président ukrainien a dénoncé l'attaque de mardi,"
        " « intolérable selon lui et ses alliés », a déclaré Jens Stoltenberg. Trois policiers ont été tués. "
    )

    def seconds(times: int) -> float:
        whole = article(text * times)
        began = time.process_time()
        read_article(whole, model=MODEL, now=NOW)
        return time.process_time() - began

    seconds(10)  # tables are read once
    # Four times the text takes sixteen times as long where every sentence looks at every other.
    assert seconds(560) < 8 * seconds(140)


def test_the_same_article_gives_the_same_result_and_ids() -> None:
    text = "Jeudi, une attaque a visé Kiev. L'attaque a fait 29 morts."
    assert _read(text) == _read(text)
    assert len({event.event_id for event in _read(text).events}) == 2


def test_an_article_without_sentences_or_findings_is_enriched_to_nothing() -> None:
    for text in ("", "Il pleut."):
        enriched = _read(text)
        assert (enriched.mentions, enriched.entities, enriched.times, enriched.events) == ((), (), (), ())


def test_the_result_keeps_its_own_schema_on_the_wire() -> None:
    data = _read("M. Stoltenberg s'est entretenu jeudi à Kiev. L'attaque a fait 29 morts.")
    event = Event(envelope(data, time=NOW, cause=None), data)
    assert decode(encode(event)) == event


def test_enrich_refuses_what_is_no_article() -> None:
    raw = RawArticle(
        article_id=article("x").article_id,
        source="test",
        url=None,
        position="file:1",
        body=b"x",
        media_type="text/plain",
        fetched_at=NOW,
    )
    with pytest.raises(TypeError, match="RawArticle"):
        enrich([_event(raw)], model=MODEL, now=NOW)


class _SpansOf:
    """A model that returns one reading, whatever it is given."""

    info = ModelInfo("fixed", "1", "0" * 64)

    def __init__(self, reading: ModelReading) -> None:
        self._reading = reading

    def read(self, sentences: Sequence[str]) -> list[ModelReading]:
        return [self._reading for _ in sentences]


def test_a_span_outside_its_sentence_is_an_error_not_a_wrong_mention() -> None:
    outside = _SpansOf(ModelReading((EntitySpan(2, 99, "LOC", 0.9),), ()))
    with pytest.raises(ValueError, match="leaves its sentence"):
        read_article(article("A Kiev."), model=outside, now=NOW)


def test_two_events_of_one_trigger_with_different_recipients_stay_two() -> None:
    def event(*recipients: Span) -> EventSpan:
        return EventSpan("ACCUSE", None, "asserted", (), 0.9, Span(2, 8), (), recipients, ())

    twice = _SpansOf(ModelReading((), (event(Span(9, 13)), event(Span(17, 21)), event(Span(9, 13)))))
    enriched = read_article(article("A accuse Kiev et Riga."), model=twice, now=NOW)
    assert [each.recipients[0].text for each in enriched.events] == ["Kiev", "Riga"]


def _spans(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that has start, end and text, however deep."""
    if isinstance(value, dict):
        if {"start", "end", "text"} <= value.keys():
            yield value
        for each in value.values():
            yield from _spans(each)
    elif isinstance(value, list):
        for each in value:
            yield from _spans(each)


_PIECES = st.sampled_from(
    [
        "M. Stoltenberg", "Jens Stoltenberg", "Otan", "Kiev", "attaque", "entretenu", "jeudi", "29 morts", "😀",
        "👩‍👩‍👧", "e\u0301te\u0301", "\u200fשלום\u200e", "مرحبا", "le 20 avril 2023", "à 14h30", "depuis fin mars",
        "«", "»", "-",
        "150 milliards de dollars", "\u00a0", "\u202f", "𝔎𝔦𝔢𝔳", "la veille", ".",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=25).map(" ".join))
def test_every_span_slices_the_text_whatever_it_holds(text: str) -> None:
    enriched = _read(text)
    found = list(_spans(msgspec.to_builtins(enriched)["mentions"]))
    found += list(_spans(msgspec.to_builtins(enriched)["events"]))
    found += list(_spans(msgspec.to_builtins(enriched)["times"]))
    for span in found:
        assert text[span["start"] : span["end"]] == span["text"]
    known = {each.entity_id for each in enriched.entities}
    assert {each.entity_id for each in enriched.mentions if each.entity_id} == known


def test_times_of_a_leap_day_anchor_do_not_fail() -> None:
    leap = article(
        "Il y a un an, jeudi, le 29 février, il s'est tu.", published=NOW.replace(year=2024, month=2, day=29)
    )
    read = read_article(leap, model=MODEL, now=NOW)
    assert ("2024-02-29", "2024-03-01") in [(each.from_, each.to) for each in read.times]
    assert date.fromisoformat(read.times[0].from_).year == 2023
