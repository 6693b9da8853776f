"""Articles made from a few sentences, and the memory model that reads them."""

import re
from datetime import UTC, datetime

from pipeline.adapters.memory_model import MemoryModel
from pipeline.events import Article, Sentence
from pipeline.identity import article_id, content_hash

NOW = datetime(2023, 4, 21, 12, tzinfo=UTC)
PUBLISHED = datetime(2023, 4, 21, 6, tzinfo=UTC)


def article(text: str, *, published: datetime | None = PUBLISHED, title: str | None = None) -> Article:
    """Return an article whose sentences end at a full stop before a blank."""
    return Article(
        article_id=article_id(source="test", own_id=text[:40] or "empty"),
        revision=1,
        source="test",
        url=None,
        title=title,
        authors=(),
        published_at=published,
        published_precision="day" if published else None,
        fetched_at=NOW,
        language="fr",
        content_hash=content_hash(title, text),
        text=text,
        sentences=tuple(
            Sentence(start=each.start(), end=each.end(), kind="body")
            for each in re.finditer(r"\S.*?(?:(?<!\bM)\.(?=\s|$)|$)", text, re.DOTALL)
        ),
    )


def model(names: dict[str, str] | None = None, triggers: dict[str, str] | None = None) -> MemoryModel:
    """Return a model that knows these names and triggers."""
    return MemoryModel(names or {}, triggers or {})
