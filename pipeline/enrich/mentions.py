"""Mentions: what the model found in each sentence, as spans of the article; amounts by rule."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pipeline.enrich.amounts import find_amounts
from pipeline.events import Article, Evidence, Mention, Sentence
from pipeline.ports import ModelReading, Span

_RULE_CONFIDENCE = 1.0
_Any = TypeVar("_Any")


def evidence(article: Article, span: Span) -> Evidence:
    """Return the piece of text at `span`. Raises ValueError when the article has no such piece."""
    if not 0 <= span.start < span.end <= len(article.text):
        raise ValueError(f"{span} lies outside a text of {len(article.text)} code points")
    return Evidence(start=span.start, end=span.end, text=article.text[span.start : span.end])


def in_article(sentence: Sentence, span: Span) -> Span:
    """Return a sentence's span as one of the article. Raises ValueError when it leaves the sentence."""
    moved = Span(sentence.start + span.start, sentence.start + span.end)
    if not sentence.start <= moved.start < moved.end <= sentence.end:
        raise ValueError(f"the model's {span} leaves its sentence of {sentence.end - sentence.start} code points")
    return moved


def find_mentions(article: Article, readings: Sequence[ModelReading]) -> list[Mention]:
    """Return every mention in order of the text; those of entities have no `entity_id` yet.

    `readings` are those of `article.sentences`, in their order. An amount gives way to what the model found.
    """
    found = []
    for sentence, reading in zip(article.sentences, readings, strict=True):
        for entity in reading.entities:
            at = evidence(article, in_article(sentence, Span(entity.start, entity.end)))
            found.append(_mention(at, entity.type, entity.confidence))
    taken = by_sentence(article.sentences, [Span(each.start, each.end) for each in found], lambda each: each.start)
    for sentence, here in zip(article.sentences, taken, strict=True):
        for amount in find_amounts(article.text[sentence.start : sentence.end]):
            moved = in_article(sentence, amount.span)
            if not overlaps(moved, here):
                found.append(_mention(evidence(article, moved), amount.kind, _RULE_CONFIDENCE))
    return sorted(found, key=lambda each: (each.start, each.end))


def by_sentence(
    sentences: Sequence[Sentence], things: Iterable[_Any], start_of: Callable[[_Any], int]
) -> list[list[_Any]]:
    """Return the things that begin in each sentence, in their order; in one pass, however long the article is."""
    starts = [sentence.start for sentence in sentences]
    out: list[list[_Any]] = [[] for _ in sentences]
    for thing in things:
        at = bisect_right(starts, start_of(thing)) - 1
        if at >= 0 and start_of(thing) < sentences[at].end:
            out[at].append(thing)
    return out


def overlaps(span: Span, others: Iterable[Span]) -> bool:
    """Tell whether `span` shares a code point with any of `others`."""
    return any(span.start < other.end and other.start < span.end for other in others)


def _mention(at: Evidence, type_: str, confidence: float) -> Mention:
    return Mention(
        start=at.start, end=at.end, text=at.text, type=type_, entity_id=None, confidence=round(confidence, 4)
    )
