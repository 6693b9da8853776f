"""Sentences of one article → windows the model reads at once, each sentence with its neighbours around it.

A window is consecutive sentences, as many as fit; every window but the first begins with the article's first
sentence, usually its title, as context. So "il" and "le geste" are read with what they refer to, no run of the
model is padded, and what is read out of an article depends on that article alone.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

LONGEST_PIECE = 250
"""Tokens of one sentence in a window; a longer sentence is read in pieces."""
LONGEST_TITLE = 40
"""Tokens up to which an article's first sentence serves as context of its later windows."""


class Piece(NamedTuple):
    """A sentence, or a part of one that is too long: its tokens without any frame around them."""

    sentence: int
    first: int
    """Position of its first token in the sentence."""
    ids: Sequence[int]


class Seat(NamedTuple):
    """Where a piece sits in its window: tokens start ≤ i < end."""

    piece: Piece
    start: int
    end: int


class Window(NamedTuple):
    """One input of the model: `<s> title </s> sentence </s> sentence </s>`."""

    ids: list[int]
    seats: list[Seat]


class Frame(NamedTuple):
    """Ids of the tokens that begin a window and end each sentence."""

    begin: int
    end: int


def pieces(sentences: Sequence[Sequence[int]]) -> Iterator[Piece]:
    """Yield each sentence's tokens in pieces of at most `LONGEST_PIECE`, none for an empty one."""
    for number, ids in enumerate(sentences):
        for first in range(0, len(ids), LONGEST_PIECE):
            yield Piece(number, first, ids[first : first + LONGEST_PIECE])


def windows(sentences: Sequence[Sequence[int]], frame: Frame, limit: int) -> list[Window]:
    """Return the windows of an article, in order: each of at most `limit` tokens, or of a single piece."""
    title = list(sentences[0]) if sentences and 0 < len(sentences[0]) <= LONGEST_TITLE else []
    out: list[Window] = []
    ids, seats = [frame.begin], list[Seat]()
    for piece in pieces(sentences):
        if seats and len(ids) + len(piece.ids) + 1 > limit:
            out.append(Window(ids, seats))
            ids, seats = [frame.begin, *([*title, frame.end] if title else [])], []
        seats.append(Seat(piece, len(ids), len(ids) + len(piece.ids)))
        ids = [*ids, *piece.ids, frame.end]
    if seats:
        out.append(Window(ids, seats))
    return out
