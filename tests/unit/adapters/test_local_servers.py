"""What Kafka's own tool says when it fails reaches the reader, in one sentence with a remedy."""

import pytest

from pipeline.adapters.local_servers import format_folder
from pipeline.errors import Misconfigured


def test_a_folder_that_cannot_be_formatted_says_why_and_what_to_do() -> None:
    with pytest.raises(Misconfigured, match=r"disk is full\).*make clean"):
        format_folder(["sh", "-c", "echo 'the disk is full' >&2; exit 1"])


def test_a_tool_that_says_nothing_is_named_as_such() -> None:
    with pytest.raises(Misconfigured, match="it said nothing"):
        format_folder(["false"])


def test_a_folder_that_is_formatted_is_no_error() -> None:
    assert format_folder(["true"]) is None  # type: ignore[func-returns-value]
