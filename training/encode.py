"""Labelled sentences → token ids with a label per token, seated in the windows the model reads."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from pipeline.adapters.onnx_windows import Frame, Window, windows
from training.data import SentenceExample
from training.labels import Labels

_LIMITS = (64, 96, 128, 160, 192)
_ALONE = 0.15
"""Share of the documents whose sentences are read one by one in an epoch: headlines and single lines come too."""


@dataclass(frozen=True)
class EncodedEvent:
    """Columns of the labels; `trigger` are token positions, `argument` a label per token of the sentence."""

    type: int
    trigger: list[int]
    status: int
    mode: int
    contexts: list[int]
    argument: list[int]


@dataclass(frozen=True)
class Encoded:
    """A sentence as token ids, without frame, with an entity label per token, and its events."""

    example: SentenceExample
    ids: list[int]
    spans: list[tuple[int, int]]
    entity: list[int]
    events: list[EncodedEvent]


@dataclass(frozen=True)
class Packed:
    """One window of a document, and the document it was cut from."""

    window: Window
    document: Sequence[Encoded]


def frame_of(tokenizer: Tokenizer) -> Frame:
    """Return the tokens that begin a window and end a sentence in this vocabulary."""
    return Frame(tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>"))


def encode(example: SentenceExample, tokenizer: Tokenizer, labels: Labels) -> Encoded:
    """Return the sentence with its labels on tokens."""
    encoding = tokenizer.encode(example.text.replace("’", "'"), add_special_tokens=False)
    spans = [_without_blanks(example.text, a, b) for a, b in encoding.offsets]
    entity = [0] * len(spans)
    for start, end, kind in example.entities:
        for n, i in enumerate(_touched(spans, start, end)):
            entity[i] = labels.entity.index(f"{'I' if n else 'B'}-{kind}")
    events = []
    for event in example.events:
        trigger = _touched(spans, *event.trigger)
        argument = [0] * len(spans)
        for role, start, end in event.arguments:
            for n, i in enumerate(_touched(spans, start, end)):
                argument[i] = labels.argument.index(f"{'I' if n else 'B'}-{role}")
        # A mode that its type does not have is an annotator's slip.
        mode = event.mode if event.mode in labels.modes_of[event.type] else "-"
        events.append(
            EncodedEvent(
                labels.trigger.index(event.type),
                trigger,
                labels.status.index(event.status),
                labels.mode.index(mode or "-"),
                [labels.context.index(c) for c in event.contexts],
                argument,
            )
        )
    return Encoded(example, encoding.ids, spans, entity, events)


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the offsets without the blank that a SentencePiece token starts with."""
    return start + len(text[start:end]) - len(text[start:end].lstrip()), end


def _touched(spans: list[tuple[int, int]], start: int, end: int) -> list[int]:
    return [i for i, (a, b) in enumerate(spans) if a < b and a < end and start < b]


def packed(document: Sequence[Encoded], frame: Frame, limit: int) -> list[Packed]:
    """Return the windows of a document, cut as the shipped adapter cuts them."""
    return [Packed(window, document) for window in windows([e.ids for e in document], frame, limit)]


def shuffled(documents: Sequence[Sequence[Encoded]], frame: Frame, chance: random.Random) -> list[Packed]:
    """Return all documents in windows of random lengths, so that no sentence always has the same neighbours."""
    out = []
    for document in documents:
        if chance.random() < _ALONE:
            out += [each for sentence in document for each in packed([sentence], frame, _LIMITS[-1])]
        else:
            out += packed(document, frame, chance.choice(_LIMITS))
    return out


def batches(found: list[Packed], tokens: int, chance: random.Random) -> Iterator[list[Packed]]:
    """Yield batches of windows of similar length, at most `tokens` with their padding, in random order."""
    keyed = sorted(found, key=lambda each: len(each.window.ids) + chance.uniform(0, 12))
    out: list[list[Packed]] = [[]]
    widest = 0
    for each in keyed:
        widest = max(widest, len(each.window.ids))
        if out[-1] and widest * (len(out[-1]) + 1) > tokens:
            out.append([])
            widest = len(each.window.ids)
        out[-1].append(each)
    chance.shuffle(out)
    yield from out
