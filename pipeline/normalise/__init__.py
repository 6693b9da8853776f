"""Bytes → clean French text, its sentences, when it was published, and whether it says anything new.

Where an article has a title, its text begins with it, as a sentence of kind `heading`: a headline carries
events like any other sentence. Every offset refers to that text, NFC, in code points.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline.errors import Flaw
from pipeline.events import Article, ArticleState, Event, RawArticle, Withdrawn
from pipeline.identity import content_hash
from pipeline.normalise.charset import decode
from pipeline.normalise.dates import published
from pipeline.normalise.html import read_html
from pipeline.normalise.language import language
from pipeline.normalise.plain import Draft, read_plain
from pipeline.normalise.revise import revise, withdraw
from pipeline.normalise.sentences import cut
from pipeline.normalise.text import clean_line
from pipeline.outcome import Emitted, Outcome, Unchanged

_FEWEST_LETTERS = 20
_HTML_TYPES = ("text/html", "application/xhtml+xml")


def normalise(batch: Sequence[Event], *, states: Mapping[str, ArticleState], now: datetime) -> list[Outcome]:
    """Return one outcome per event (`RawArticle` or `Withdrawn`), in order.

    `states` says what is remembered of each article; later events of the batch see what earlier ones left.
    """
    fresh: dict[str, ArticleState] = {}
    outcomes: list[Outcome] = []
    for event in batch:
        outcome = _one(event, fresh, states, now)
        if isinstance(outcome, (Emitted, Unchanged)) and outcome.state is not None:
            fresh[outcome.state.article_id] = outcome.state
        outcomes.append(outcome)
    return outcomes


def _one(event: Event, fresh: Mapping[str, ArticleState], states: Mapping[str, ArticleState], now: datetime) -> Outcome:
    data = event.data
    if isinstance(data, Withdrawn):
        return withdraw(data, fresh.get(data.article_id) or states.get(data.article_id), now)
    if not isinstance(data, RawArticle):
        return Flaw("unknown_type", f"{event.envelope.type} does not belong into this topic")
    article = clean(data, now)
    if isinstance(article, Flaw):
        return article
    return revise(article, fresh.get(data.article_id) or states.get(data.article_id), now)


def clean(raw: RawArticle, now: datetime) -> Article | Flaw:
    """Return the clean article, as revision 0, or why it is none. Never raises on any bytes."""
    if not raw.body.strip(b" \t\r\n\0"):
        return Flaw("empty", "the body holds no byte that is not blank")
    decoded = decode(raw.body, raw.charset)
    draft = _draft(raw, decoded.text)
    if isinstance(draft, Flaw):
        return draft
    text, sentences = cut(draft.paragraphs, titled=draft.title is not None)
    if sum(map(str.isalpha, text)) < _FEWEST_LETTERS:
        return Flaw("no_text", f"fewer than {_FEWEST_LETTERS} letters of text")
    tongue = language(text)
    if tongue.code != "fr":
        return Flaw("not_french", f"the text is in {tongue.code!r} (probability {tongue.confidence:.2f})")
    when = published(
        draft.published_at if draft.published_at is not None else raw.published_at,
        draft.precision if draft.published_at is not None else raw.published_precision,
        text,
        sentences,
        now,
    )
    return Article(
        article_id=raw.article_id,
        revision=0,
        source=raw.source,
        url=raw.url,
        title=draft.title,
        authors=draft.authors or tuple(name for a in raw.authors if (name := clean_line(a))),
        published_at=when.at,
        published_precision=when.precision,
        fetched_at=raw.fetched_at,
        language=tongue.code,
        content_hash=content_hash(draft.title, text),
        text=text,
        sentences=sentences,
        notes=when.notes + _charset_note(decoded.charset, raw.charset),
    )


def _draft(raw: RawArticle, text: str) -> Draft | Flaw:
    if raw.media_type.partition(";")[0].strip().lower() in _HTML_TYPES:
        return read_html(text, raw.title)
    return read_plain(text, raw.title)


def _charset_note(found: str, declared: str | None) -> tuple[str, ...]:
    if declared is None or found.replace("-sig", "") == declared.lower().replace("_", "-"):
        return ()
    return (f"declared {declared}, read as {found}",)
