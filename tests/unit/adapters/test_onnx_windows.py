"""Sentences are seated in windows: each once, in order, under its title."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapters.onnx_windows import LONGEST_PIECE, Frame, windows

FRAME = Frame(0, 2)
articles = st.lists(st.lists(st.integers(5, 99), max_size=60), max_size=30)


@given(sentences=articles, limit=st.integers(8, 200))
def test_every_token_has_exactly_one_seat_and_sits_where_it_says(sentences: list[list[int]], limit: int) -> None:
    read: dict[int, list[int]] = {}
    for window in windows(sentences, FRAME, limit):
        for piece, start, end in window.seats:
            assert window.ids[start:end] == piece.ids
            assert window.ids[end] == FRAME.end
            assert piece.first == len(read.setdefault(piece.sentence, []))
            read[piece.sentence] += piece.ids
    assert read == {n: ids for n, ids in enumerate(sentences) if ids}


@given(sentences=articles, limit=st.integers(8, 200))
def test_a_window_passes_its_limit_only_for_a_single_sentence(sentences: list[list[int]], limit: int) -> None:
    for window in windows(sentences, FRAME, limit):
        assert window.ids[0] == FRAME.begin
        assert len(window.ids) <= limit or len(window.seats) == 1


def test_later_windows_begin_with_the_title() -> None:
    first, second = windows([[7, 8], [5] * 10, [6] * 10], FRAME, 16)
    assert first.ids == [0, 7, 8, 2, *[5] * 10, 2]
    assert second.ids == [0, 7, 8, 2, *[6] * 10, 2]
    assert [seat.piece.sentence for seat in second.seats] == [2]


def test_a_long_first_sentence_is_no_title() -> None:
    later = windows([[7] * 60, [5] * 10], FRAME, 64)[1]
    assert later.ids == [0, *[5] * 10, 2]


def test_a_sentence_too_long_for_a_window_is_read_in_pieces() -> None:
    found = windows([[5] * (2 * LONGEST_PIECE + 1)], FRAME, 128)
    assert [len(seat.piece.ids) for window in found for seat in window.seats] == [LONGEST_PIECE, LONGEST_PIECE, 1]
