"""New, revised or unchanged? Decided by what is remembered of the article, never by what a page claims."""

from datetime import datetime

import msgspec

from pipeline.events import Article, ArticleState, Withdrawn
from pipeline.outcome import Emitted, Outcome, Unchanged


def revise(article: Article, known: ArticleState | None, now: datetime) -> Outcome:
    """Return the article as its next revision, or that it says nothing new."""
    if known is not None and not known.withdrawn and known.content_hash == article.content_hash:
        return Unchanged(_next(known, now, unchanged=known.unchanged + 1))
    revision = 1 if known is None else known.revision + 1
    state = ArticleState(
        article_id=article.article_id,
        content_hash=article.content_hash,
        revision=revision,
        inputs=(known.inputs if known else 0) + 1,
        unchanged=known.unchanged if known else 0,
        withdrawn=False,
        updated_at=now,
    )
    return Emitted(msgspec.structs.replace(article, revision=revision), state)


def withdraw(gone: Withdrawn, known: ArticleState | None, now: datetime) -> Outcome:
    """Return the withdrawal as the article's next revision; a second one says nothing new."""
    if known is not None and known.withdrawn:
        return Unchanged(_next(known, now, unchanged=known.unchanged + 1))
    revision = 1 if known is None else known.revision + 1
    state = ArticleState(
        article_id=gone.article_id,
        content_hash="",
        revision=revision,
        inputs=(known.inputs if known else 0) + 1,
        unchanged=known.unchanged if known else 0,
        withdrawn=True,
        updated_at=now,
    )
    return Emitted(msgspec.structs.replace(gone, revision=revision), state)


def _next(known: ArticleState, now: datetime, *, unchanged: int) -> ArticleState:
    return msgspec.structs.replace(known, inputs=known.inputs + 1, unchanged=unchanged, updated_at=now)
