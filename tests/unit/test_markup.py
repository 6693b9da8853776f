"""What is too much for a parser is told apart from what is only large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.markup import LONGEST_TAG, MOST_TAGS, explosive


@pytest.mark.parametrize(
    "markup",
    [
        b'<img src="data:image/png;base64,' + b"A" * 5_000_000 + b'">',
        b"<p>" + b"mot " * 1_000_000,
        b"<" * MOST_TAGS,
        b"a < b " * 1000,
        b"",
    ],
)
def test_what_is_only_large_is_read(markup: bytes) -> None:
    assert explosive(markup) is None


@pytest.mark.parametrize(
    "markup",
    [
        b"<b>" * (MOST_TAGS + 1),
        b"<p " + b"a=1 " * LONGEST_TAG + b">",
        b"<p a='>' " + b"a=1 " * LONGEST_TAG + b">",
        b'<p a=">" ' + b'a="1" ' * LONGEST_TAG + b">",
        b"<p x'y " + b"a=1 " * LONGEST_TAG + b"z'>",
    ],
)
def test_what_would_choke_a_parser_is_told(markup: bytes) -> None:
    assert explosive(markup)


@given(st.binary(max_size=300))
def test_any_bytes_have_an_answer(markup: bytes) -> None:
    assert explosive(markup) is None
