"""Enrich: a clean article → who did what to whom, where and when, each with the text that proves it.

Pure functions around the `Model` port: the model reads sentences, rules do the rest (times, places, amounts,
who is who, PLOVER's scales). The same article, model and `now` give the same result, ids included.
"""

from collections.abc import Sequence
from datetime import date, datetime

from pipeline.enrich.coder import code_events
from pipeline.enrich.entities import link
from pipeline.enrich.mentions import find_mentions
from pipeline.enrich.quotes import find_quotes
from pipeline.enrich.times import Anchor, find_times
from pipeline.events import Article, EnrichedArticle, Event, ModelStamp, Withdrawn
from pipeline.outcome import Emitted, Outcome
from pipeline.ports import Model


def enrich(batch: Sequence[Event], *, model: Model, now: datetime) -> list[Outcome]:
    """Return one outcome per input, in order: an article enriched, a withdrawal passed on as it is."""
    return [_outcome(event, model, now) for event in batch]


def read_article(article: Article, *, model: Model, now: datetime) -> EnrichedArticle:
    """Return the article with everything that was read out of it, whatever other articles there are."""
    readings = model.read([article.text[each.start : each.end] for each in article.sentences])
    anchor = Anchor.of(article.published_at, article.published_precision)
    times = find_times(article, anchor)
    mentions, entities = link(article, find_mentions(article, readings), _day(anchor))
    info = model.info
    return EnrichedArticle(
        article=article,
        mentions=tuple(mentions),
        entities=tuple(entities.values()),
        times=tuple(times),
        events=tuple(code_events(article, readings, mentions, entities, times)),
        model=ModelStamp(name=info.name, version=info.version, sha256=info.sha256),
        processed_at=now,
        quotes=tuple(find_quotes(article, mentions, entities)),
    )


def _outcome(event: Event, model: Model, now: datetime) -> Outcome:
    match event.data:
        case Article() as article:
            return Emitted(read_article(article, model=model, now=now))
        case Withdrawn() as withdrawn:
            return Emitted(withdrawn)
        case other:
            raise TypeError(f"enrich reads articles, not {type(other).__name__}")


def _day(anchor: Anchor | None) -> date | None:
    return anchor.day if anchor else None
