"""Plain text as agencies archive it: an optional ` date YYYY-MM ` header, captions, `- "…" -` headings."""

import re
from datetime import datetime
from typing import NamedTuple

from pipeline.events import Precision
from pipeline.normalise.dates import month_of
from pipeline.normalise.text import clean_line, paragraphs

_HEADER = re.compile(r"^\s*date (\d{4})-(\d{2})(?:-(\d{2}))?\b[ \t]*")
_LONGEST_TITLE = 160


class Draft(NamedTuple):
    """What a format gives: the paragraphs (title first, if there is one), and what stands about the text."""

    title: str | None
    paragraphs: list[str]
    published_at: datetime | None = None
    precision: Precision | None = None
    authors: tuple[str, ...] = ()


def read_plain(text: str, title: str | None) -> Draft:
    """Return the draft of a plain text; a first line that can only be a headline becomes the title."""
    at: datetime | None = None
    precision: Precision | None = None
    if header := _HEADER.match(text):
        at, precision = _header_date(header)
        if at is not None:
            text = text[header.end() :]
    body = paragraphs(text)
    title = clean_line(title) or None if title else _headline(body)
    if title and (not body or body[0] != title):
        body = [title, *body]
    return Draft(title, body, at, precision)


def _header_date(header: re.Match[str]) -> tuple[datetime | None, Precision | None]:
    year, month, day = header.groups()
    try:
        first = month_of(int(year), int(month))
        return (first, "month") if day is None else (first.replace(day=int(day)), "day")
    except ValueError:
        return None, None


def _headline(body: list[str]) -> str | None:
    """Return the first paragraph if it is short, has no final stop and is followed by text."""
    if len(body) < 2 or len(body[0]) > _LONGEST_TITLE or body[0][-1] in ".!?…)-–—:;,":
        return None
    return body[0]
