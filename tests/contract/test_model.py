"""What every model promises, asked of the one that ships and of the memory twin: spans of the sentence, no other
article that matters; and what the one that ships promises beyond."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.adapters.memory_model import MemoryModel
from pipeline.adapters.onnx import OnnxModel
from pipeline.errors import Misconfigured
from pipeline.ports import Model, ModelReading

FOLDER = Path(__file__).parent.parent.parent / "models" / "fr-news-small"
SENTENCES = [
    "Le président ukrainien Volodymyr Zelensky a rencontré mardi à Paris Emmanuel Macron.",
    "Des milliers de personnes ont manifesté samedi à Lyon contre la réforme des retraites.",
    "",
    "   ",
    "Une nouvelle attaque de drones russes a visé Kiev.",
    "La recette demande 200 grammes de beurre.",
    "L’Otan s’inquiète, 👩‍👩‍👧 d’après l’agence.",
]


@pytest.fixture(scope="module")
def shipped() -> OnnxModel:
    return OnnxModel(FOLDER)


@pytest.fixture(params=["memory", "onnx"])
def model(request: pytest.FixtureRequest) -> Model:
    if request.param == "memory":
        return MemoryModel({"Paris": "LOC", "Kiev": "LOC"}, {"attaque": "ASSAULT", "manifesté": "PROTEST"})
    made: OnnxModel = request.getfixturevalue("shipped")
    return made


def spans(reading: ModelReading) -> list[tuple[int, int]]:
    out = [(e.start, e.end) for e in reading.entities]
    for event in reading.events:
        out += [event.trigger, *event.actors, *event.recipients, *event.places]
    return out


def assert_spans_are_whole_words(sentence: str, reading: ModelReading) -> None:
    for start, end in spans(reading):
        assert 0 <= start < end <= len(sentence)
        piece = sentence[start:end]
        assert piece == piece.strip()
        assert start == 0 or not (sentence[start - 1].isalnum() and sentence[start].isalnum())
        assert end == len(sentence) or not (sentence[end - 1].isalnum() and sentence[end].isalnum())


def test_names_and_events_are_found_where_they_stand(shipped: OnnxModel) -> None:
    meeting, march, *_ = shipped.read(SENTENCES)
    named = {SENTENCES[0][e.start : e.end]: e.type for e in meeting.entities}
    assert named["Emmanuel Macron"] == "PER"
    assert named["Paris"] == "LOC"
    assert "PROTEST" in {event.type for event in march.events}


def test_spans_are_whole_words_of_the_sentence(model: Model) -> None:
    for sentence, reading in zip(SENTENCES, model.read(SENTENCES), strict=True):
        assert_spans_are_whole_words(sentence, reading)


def test_an_empty_sentence_has_an_empty_reading(model: Model) -> None:
    assert model.read(["", "  "]) == [ModelReading((), ()), ModelReading((), ())]


def test_an_article_is_read_alike_whatever_was_read_before_it(model: Model) -> None:
    other = ["Grève : le trafic perturbé", "Les cheminots ont cessé le travail lundi dans toute la France."]
    alone = model.read(SENTENCES)
    model.read(other)
    assert model.read(SENTENCES) == alone


def test_a_long_article_gives_each_sentence_its_reading(model: Model) -> None:
    long = [SENTENCES[0], *SENTENCES * 30]
    readings = model.read(long)
    assert len(readings) == len(long)
    for sentence, reading in zip(long, readings, strict=True):
        assert_spans_are_whole_words(sentence, reading)
    assert sum(bool(reading.entities) for reading in readings) >= 60


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=120))
def test_any_text_gives_spans_that_slice_it(model: Model, text: str) -> None:
    (reading,) = model.read([text])
    assert_spans_are_whole_words(text, reading)


BAD = {
    "capitals without accents": "LE PRESIDENT EMMANUEL MACRON A RENCONTRE MARDI A PARIS LE CHANCELIER ALLEMAND",
    "no punctuation": "macron a rencontre mardi a paris le chancelier allemand et les syndicats appellent a la greve",
    "another language": "The minister said on Tuesday that sanctions on Moscow would end. Der Minister schwieg.",
    "html leftovers": "<p>Kiev&nbsp;: l&rsquo;attaque</p><br/>{{ads}}<script>a=1;</script> a fait 3 morts",
    "emoji and marks": "🚨 URGENT 🇺🇦 \u202bKiev\u202c 👩‍👩‍👧‍👦 attaquée… 💥💥",
    "only marks": "«»…!?–—()[]",
    "zero widths": "Ki\u200bev a é\u0301té attaquée\ufeff.",
    "one long word": "anti" + "constitutionnelle" * 300,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_text_gives_a_valid_reading(shipped: OnnxModel, name: str) -> None:
    title, bad, last = shipped.read([SENTENCES[0], BAD[name], SENTENCES[1]])
    assert_spans_are_whole_words(BAD[name], bad)
    assert title.entities
    assert last.events


def test_names_in_capitals_are_found(shipped: OnnxModel) -> None:
    text = BAD["capitals without accents"]
    (reading,) = shipped.read([text])
    assert {"PARIS", "EMMANUEL MACRON"} & {text[e.start : e.end] for e in reading.entities}


def test_a_very_long_sentence_takes_time_in_proportion(shipped: OnnxModel) -> None:
    def seconds(length: int) -> float:
        text = "la paix reste possible entre Kiev et Moscou et " * (length // 47)
        began = time.perf_counter()
        assert_spans_are_whole_words(text, shipped.read([text])[0])
        return time.perf_counter() - began

    seconds(2_000)
    assert seconds(40_000) < 60 * seconds(4_000)


def test_a_model_says_who_it_is(model: Model) -> None:
    assert model.info.name
    assert model.info.version
    assert len(model.info.sha256) == 64


def test_a_folder_that_is_no_model_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="DEPECHE_MODEL"):
        OnnxModel(tmp_path)
