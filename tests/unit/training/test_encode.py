"""Labels come to sit on the tokens they belong to, in windows cut as the shipped adapter cuts them."""

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from training.data import EventExample, SentenceExample, read_press
from training.encode import Encoded, batches, encode, frame_of, packed, shuffled
from training.labels import Labels

MODEL = Path(__file__).parents[3] / "models" / "fr-news-small"
LABELS = Labels.of_ontology()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


def example(text: str) -> SentenceExample:
    at = text.index("condamné")
    event = EventExample("ACCUSE", "disapprove", "future", ("legal",), (at, at + 8), (("actor", 0, 8),))
    return SentenceExample("d", 0, text, ((0, 8, "PER"),), (event,))


def test_labels_cover_exactly_the_tokens_of_their_span(tokenizer: Tokenizer) -> None:
    found = encode(example("Awa Diop a condamné l’attaque."), tokenizer, LABELS)
    named = [i for i, label in enumerate(found.entity) if label]
    assert found.spans[named[0]][0] == 0
    assert found.spans[named[-1]][1] == 8
    (event,) = found.events
    assert LABELS.trigger[event.type] == "ACCUSE"
    assert [LABELS.argument[event.argument[i]][2:] for i in named] == ["actor"] * len(named)
    assert {event.argument[i] for i in range(len(found.ids)) if i not in named} == {0}
    assert LABELS.mode[event.mode] == "disapprove"


def test_a_mode_its_type_does_not_have_is_none(tokenizer: Tokenizer) -> None:
    event = EventExample("AID", "drone", "asserted", (), (0, 3), ())
    (found,) = encode(SentenceExample("d", 0, "Awa aide", (), (event,)), tokenizer, LABELS).events
    assert LABELS.mode[found.mode] == "-"


@pytest.fixture(scope="module")
def documents(tokenizer: Tokenizer) -> list[list[Encoded]]:
    return [[encode(e, tokenizer, LABELS) for e in d] for d in list(read_press().values())[:12]]


def test_an_epoch_shows_every_sentence_once(tokenizer: Tokenizer, documents: list[list[Encoded]]) -> None:
    windows = shuffled(documents, frame_of(tokenizer), random.Random(1))
    shown = [each.document[seat.piece.sentence].example for each in windows for seat in each.window.seats]
    assert sorted(e.text for e in shown) == sorted(s.example.text for d in documents for s in d)


def test_batches_keep_to_their_size_and_lose_nothing(tokenizer: Tokenizer, documents: list[list[Encoded]]) -> None:
    windows = [w for d in documents for w in packed(d, frame_of(tokenizer), 96)]
    found = list(batches(windows, 400, random.Random(1)))
    assert sum(map(len, found)) == len(windows)
    assert all(len(b) == 1 or len(b) * max(len(w.window.ids) for w in b) <= 400 for b in found)
