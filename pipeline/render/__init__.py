"""Enriched articles for people and programs: one JSON object a line, tables on a terminal, a page to read.

The JSON is the contract of the command line: `EnrichedArticle` as it is, one article a line.
"""

import msgspec

from pipeline.events import EnrichedArticle
from pipeline.render.page import html_page
from pipeline.render.tabular import text
from pipeline.render.terminal import tables

__all__ = ["html_page", "json_line", "tables", "terminal_text"]

_ENCODER = msgspec.json.Encoder()


def json_line(enriched: EnrichedArticle) -> str:
    """Return the article as one line of JSON, without the newline."""
    return _ENCODER.encode(enriched).decode()


def terminal_text(enriched: EnrichedArticle) -> str:
    """Return the article's tables as text, as wide as the terminal."""
    return text(tables(enriched))
