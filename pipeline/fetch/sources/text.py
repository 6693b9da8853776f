"""Text files, one article each; the file's name is the article's own id."""

import hashlib
from collections.abc import Iterator, Mapping

from pipeline.events import RawArticle
from pipeline.fetch.catalogue import Source
from pipeline.fetch.files import contents, matching
from pipeline.fetch.haul import KEPT_BYTES, MAX_BODY_BYTES, Context, Item, Kind, Step, forgotten, spoiled_body
from pipeline.identity import article_id
from pipeline.ports import ObjectInfo


def steps(source: Source, cursor: Mapping[str, str], context: Context) -> Iterator[Step]:
    """Yield each file that is new or whose bytes changed; with a window, each file, for none has a date."""
    seen = set()
    for info in matching(source, context):
        seen.add(info.key)
        etag, _, known = cursor.get(info.key, "").partition(" ")
        if context.window is None and etag == info.etag:
            continue
        body = contents(info, context, KEPT_BYTES if info.size > MAX_BODY_BYTES else None)
        if body is None:
            continue
        digest = hashlib.sha256(body).hexdigest()
        touched = context.window is None and known == digest
        yield Step(None if touched else _item(source, info, body, context), {info.key: f"{info.etag} {digest}"})
    yield from forgotten(cursor, seen)


def _item(source: Source, info: ObjectInfo, body: bytes, context: Context) -> Item:
    own = article_id(source=source.name, own_id=info.key)
    return spoiled_body(body, info.key, size=info.size, article_id=own) or RawArticle(
        article_id=own,
        source=source.name,
        url=None,
        position=info.key,
        body=body,
        media_type="text/plain",
        fetched_at=context.now,
    )


KIND = Kind(needs="path", steps=steps)
