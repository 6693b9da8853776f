"""Files in, enriched articles out, with no service at all: the same pure functions the workers call."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import PurePath
from typing import NamedTuple

from pipeline.enrich import read_article
from pipeline.errors import Flaw
from pipeline.events import Article, EnrichedArticle, RawArticle
from pipeline.identity import article_id
from pipeline.normalise import clean
from pipeline.normalise.revise import revise
from pipeline.outcome import Emitted
from pipeline.ports import Model

_HTML = (".html", ".htm", ".xhtml")


class Turned(NamedTuple):
    """An input that is no article, and why."""

    position: str
    flaw: Flaw


Lines = Callable[[str, bytes], Iterable[RawArticle | Turned]]
"""Reads JSON Lines: name and bytes → one article a line."""


def extract(
    inputs: Iterable[tuple[str, bytes]], *, lines: Lines, model: Model, now: datetime
) -> Iterator[EnrichedArticle | Turned]:
    """Yield one result per article, in order. An input is JSON Lines, HTML or plain text by its name or look."""
    for name, body in inputs:
        for raw in _articles(name, body, lines, now):
            yield raw if isinstance(raw, Turned) else _read(raw, model, now)


def _articles(name: str, body: bytes, lines: Lines, now: datetime) -> Iterable[RawArticle | Turned]:
    kind = PurePath(name).suffix.lower()
    head = body[:512].lstrip().lower()
    if kind == ".jsonl" or (not kind and head.startswith(b"{")):
        return lines(name, body)
    html = kind in _HTML or (not kind and head.startswith((b"<!doctype html", b"<html")))
    return [
        RawArticle(
            article_id=article_id(source="extract", own_id=PurePath(name).name),
            source="extract",
            url=None,
            position=name,
            body=body,
            media_type="text/html" if html else "text/plain",
            fetched_at=now,
        )
    ]


def _read(raw: RawArticle, model: Model, now: datetime) -> EnrichedArticle | Turned:
    article = clean(raw, now)
    if isinstance(article, Flaw):
        return Turned(raw.position, article)
    first = revise(article, None, now)
    assert isinstance(first, Emitted)
    assert isinstance(first.data, Article)
    return read_article(first.data, model=model, now=now)
