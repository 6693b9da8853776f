"""Text files, one article each; the file's name is the article's own id."""

import hashlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from pipeline.events import RawArticle
from pipeline.fetch.catalogue import Source
from pipeline.fetch.haul import KEPT_BYTES, MAX_BODY_BYTES, Context, Step, forgotten, spoiled_body
from pipeline.identity import article_id
from pipeline.ports import ObjectInfo


def matching(source: Source, context: Context) -> Iterator[ObjectInfo]:
    """Yield the files the source's path names, in order."""
    pattern = source.path or ""
    fixed = pattern.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    prefix = fixed[: fixed.rfind("/") + 1]
    return (info for info in context.files.list(prefix) if fnmatchcase(info.key, pattern))


def steps(source: Source, cursor: Mapping[str, str], context: Context) -> Iterator[Step]:
    """Yield each file that is new or whose bytes changed; with a window, each file."""
    seen = set()
    for info in matching(source, context):
        seen.add(info.key)
        body = context.files.get(info.key, KEPT_BYTES if info.size > MAX_BODY_BYTES else None)
        mark = f"{info.size}:{hashlib.sha256(body).hexdigest()}"
        if context.window is None and cursor.get(info.key) == mark:
            continue
        own = article_id(source=source.name, own_id=info.key)
        bad = spoiled_body(body, info.key, size=info.size, article_id=own)
        raw = RawArticle(
            article_id=own,
            source=source.name,
            url=None,
            position=info.key,
            body=body,
            media_type="text/plain",
            fetched_at=context.now,
        )
        yield Step(bad or raw, info.key, mark)
    yield from forgotten(list(cursor), seen)
