"""Who said what: quotations go to the name that stands with a verb of speech, or to nobody."""

from datetime import date

import pytest

from pipeline.enrich.entities import link
from pipeline.enrich.mentions import find_mentions
from pipeline.enrich.quotes import find_quotes
from pipeline.events import Quote
from tests.unit.enrich.examples import article, model

NAMES = {
    "Jens Stoltenberg": "PER",
    "M. Stoltenberg": "PER",
    "Olena Marchuk": "PER",
    "Awa Diallo": "PER",
    "Otan": "ORG",
    "Kiev": "LOC",
}


def quotes(text: str) -> list[Quote]:
    read = article(text)
    readings = model(NAMES).read([text[s.start : s.end] for s in read.sentences])
    mentions, entities = link(read, find_mentions(read, readings), date(2023, 4, 21))
    return find_quotes(read, mentions, entities)


@pytest.mark.parametrize(
    ("text", "speaker", "cue"),
    [
        ('"La guerre sera longue et dure", a déclaré Jens Stoltenberg à Kiev.', "Jens Stoltenberg", "a déclaré"),
        ("« La guerre sera longue », a de son côté affirmé Awa Diallo.", "Awa Diallo", "a de son côté affirmé"),
        ("« La guerre sera longue », affirme Awa Diallo.", "Awa Diallo", "affirme"),
        ("Awa Diallo a prévenu : « La guerre sera longue ».", "Awa Diallo", "a prévenu"),
        ('Selon l\'Otan, "la guerre sera encore longue".', "Otan", "Selon"),
        ("« La guerre sera longue », a déclaré à l'Otan Jens Stoltenberg.", "Jens Stoltenberg", "a déclaré"),
        (
            "« La guerre sera longue », a déclaré le secrétaire général de l'Otan, Jens Stoltenberg.",
            "Jens Stoltenberg",
            "a déclaré",
        ),
        ('Selon Olena Marchuk, "la guerre sera encore longue".', "Olena Marchuk", "Selon"),
        ("“La guerre sera longue”, s'est insurgée Olena Marchuk.", "Olena Marchuk", "s'est insurgée"),
        ("« La guerre sera longue », a fait savoir Awa Diallo.", "Awa Diallo", "a fait savoir"),
        ("« La guerre sera longue », a mis en garde Awa Diallo.", "Awa Diallo", "a mis en garde"),
        ("« La guerre sera longue », s'inquiète Awa Diallo.", "Awa Diallo", "s'inquiète"),
        ("Awa Diallo voit la menace : « La guerre sera longue ».", None, None),
        ('Kiev attend. "La guerre sera encore longue."', None, None),
    ],
)
def test_a_quotation_goes_to_who_speaks_beside_it(text: str, speaker: str | None, cue: str | None) -> None:
    (quote,) = quotes(text)
    assert text[quote.start : quote.end] == quote.text
    assert (quote.speaker and quote.speaker.text, quote.cue and quote.cue.text) == (speaker, cue)
    assert quote.name == speaker


def test_a_title_before_a_name_is_no_obstacle() -> None:
    (quote,) = quotes('Selon M. Stoltenberg, "la guerre sera longue".')
    assert (quote.name, quote.cue and quote.cue.text) == ("Jens Stoltenberg", "Selon")


def test_a_pronoun_is_the_only_person_named_before() -> None:
    text = "Awa Diallo est venue. « La guerre sera longue », a-t-elle ajouté."
    (quote,) = quotes(text)
    assert (quote.name, quote.speaker and quote.speaker.text) == ("Awa Diallo", "elle")


def test_a_pronoun_after_two_persons_is_nobody() -> None:
    text = "Awa Diallo a vu Olena Marchuk. « La guerre sera longue », a-t-elle ajouté."
    assert quotes(text)[0].name is None


def test_a_term_in_quotation_marks_is_not_something_said() -> None:
    assert quotes('Un "acte de guerre", a dit Awa Diallo.') == []


def test_two_mentions_of_a_speaker_are_one_entity() -> None:
    text = (
        "« La guerre sera longue », a dit Jens Stoltenberg. « Elle sera longue, très longue », a répété M. Stoltenberg."
    )
    first, second = quotes(text)
    assert first.entity_id == second.entity_id is not None
    assert second.name == "Jens Stoltenberg"
