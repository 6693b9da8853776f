"""JSON Lines, one article a line: `url` or `id`, `text` or `html`, and `title`, `authors`, `date`.

Of each file the cursor keeps its ETag and a short hash of every line, so that an appended or an edited line
is picked up and the others are left alone; while a file is being read, how far the reading got.
"""

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pipeline.errors import Flaw
from pipeline.events import RawArticle
from pipeline.fetch.catalogue import Source
from pipeline.fetch.dates import told
from pipeline.fetch.files import contents, matching
from pipeline.fetch.haul import KEPT_BYTES, MAX_BODY_BYTES, Context, Kind, Spoiled, Step, forgotten, spoiled_body
from pipeline.identity import article_id, bare
from pipeline.ports import ObjectInfo

_DECODER = msgspec.json.Decoder()
# Six characters of base 64 are 36 bits: among 100,000 lines, an edit goes unseen once in 700,000.
_HASH_CHARACTERS = 6
# The port gives whole objects, so a file must fit into memory.
_LARGEST_FILE = 512 * 2**20
_MEDIA_TYPES = ("text/plain", "text/html")


def steps(source: Source, cursor: Mapping[str, str], context: Context) -> Iterator[Step]:
    """Yield each line that is new or changed; with a window, each line of those days or without a date."""
    seen = set()
    for info in matching(source, context):
        seen |= {info.key, _progress_key(info.key)}
        etag, _, lines = cursor.get(info.key, "").partition(" ")
        if context.window is None and etag == info.etag:
            continue
        if info.size > _LARGEST_FILE:
            flaw = Flaw("oversize", f"{info.size} bytes; split the file into parts of at most {_LARGEST_FILE}")
            head = contents(info, context, KEPT_BYTES) or b""
            yield Step(Spoiled(flaw, info.key, head, info.size), {info.key: f"{info.etag} "})
            continue
        body = contents(info, context)
        if body is not None:
            yield from _file(source, info, body, lines, cursor.get(_progress_key(info.key), ""), context)
    yield from forgotten(cursor, seen)


def _progress_key(key: str) -> str:
    return f"{key} read"


def _file(
    source: Source, info: ObjectInfo, body: bytes, known_lines: str, progress: str, context: Context
) -> Iterator[Step]:
    width = _HASH_CHARACTERS
    known = {known_lines[at : at + width] for at in range(0, len(known_lines), width)}
    etag, _, offset = progress.partition(" ")
    done = int(offset) if etag == info.etag and context.window is None else 0
    marks = []
    lines = io.BytesIO(body)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        mark = base64.b64encode(hashlib.sha256(line.strip()).digest())[:width].decode()
        marks.append(mark)
        if context.window is None and (mark in known or lines.tell() <= done):
            continue
        item = _item(source, line.strip(b"\r\n"), f"{info.key}:{number}", context)
        if isinstance(item, Spoiled) or context.wants(item.published_at):
            yield Step(item, {_progress_key(info.key): f"{info.etag} {lines.tell()}"})
    yield Step(notes={info.key: f"{info.etag} {''.join(marks)}", _progress_key(info.key): None})


def _item(source: Source, line: bytes, position: str, context: Context) -> RawArticle | Spoiled:
    if len(line) > MAX_BODY_BYTES:
        flaw = Flaw("oversize", f"{len(line)} bytes; a line may have {MAX_BODY_BYTES}")
        return Spoiled(flaw, position, line[:KEPT_BYTES], len(line))
    fields = _fields(line)
    found = fields if isinstance(fields, Flaw) else _article(source, fields, position, context)
    return Spoiled(found, position, line, len(line)) if isinstance(found, Flaw) else found


def _fields(line: bytes) -> dict[str, Any] | Flaw:
    try:
        parsed = _DECODER.decode(line.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError as error:
        return Flaw("undecodable", f"the line is no UTF-8: {error}")
    except (msgspec.DecodeError, RecursionError) as error:
        return Flaw("malformed_json", f"the line is no JSON: {error}")
    return parsed if isinstance(parsed, dict) else Flaw("malformed_json", "the line is no JSON object")


def _article(source: Source, fields: dict[str, Any], position: str, context: Context) -> RawArticle | Flaw:
    body = fields.get("html", fields.get("text"))
    if not isinstance(body, str):
        return Flaw("missing_field", "the line needs a string `text` or `html`")
    url, own = fields.get("url"), fields.get("id")
    if not isinstance(url, str) and (own in (None, "") or not isinstance(own, (str, int))):
        return Flaw("missing_field", "the line needs a string `url` or an `id`")
    media_type = fields.get("media_type", "text/html" if "html" in fields else "text/plain")
    if media_type not in _MEDIA_TYPES:
        return Flaw("wrong_schema", f"media_type {media_type!r} is none of {', '.join(_MEDIA_TYPES)}")
    try:
        identity = article_id(url=url) if isinstance(url, str) else article_id(source=source.name, own_id=str(own))
        at, precision = told(fields.get("published_at", fields.get("date")))
    except ValueError as error:
        return Flaw("wrong_schema", str(error))
    if bad := spoiled_body(body.encode(), position):
        return bad.flaw
    title = fields.get("title")
    return RawArticle(
        article_id=identity,
        source=source.name,
        url=bare(url) if isinstance(url, str) else None,
        position=position,
        body=body.encode(),
        media_type=media_type,
        charset="utf-8",
        title=title if isinstance(title, str) else None,
        authors=_authors(fields.get("authors")),
        published_at=at,
        published_precision=precision,
        fetched_at=context.now,
    )


def _authors(value: Any) -> tuple[str, ...]:
    named = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(name for name in named if isinstance(name, str) and name.strip())


KIND = Kind(needs="path", steps=steps)
