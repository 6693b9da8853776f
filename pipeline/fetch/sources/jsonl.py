"""JSON Lines, one article a line: `url` or `id`, `text` or `html`, and `title`, `authors`, `date`.

An appended or an edited line is picked up by its hash; the others are left alone.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.errors import Flaw
from pipeline.events import Precision, RawArticle
from pipeline.fetch.catalogue import Source
from pipeline.fetch.haul import KEPT_BYTES, MAX_BODY_BYTES, Context, Spoiled, Step, forgotten, spoiled_body
from pipeline.fetch.sources.text import matching
from pipeline.identity import article_id

_DECODER = msgspec.json.Decoder()
_DAY_LENGTH = len("2026-01-01")
_MONTH_LENGTH = len("2026-01")


def steps(source: Source, cursor: Mapping[str, str], context: Context) -> Iterator[Step]:
    """Yield each line that is new or changed; with a window, each line of those days."""
    seen = set()
    for info in matching(source, context):
        lines = io.BytesIO(context.files.get(info.key))
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            position = f"{info.key}:{number}"
            item = _item(source, line.rstrip(b"\r\n"), position, context)
            key = item.article_id if isinstance(item, RawArticle) else position
            seen.add(key)
            mark = hashlib.sha256(line).hexdigest()[:32]
            known = context.window is None and cursor.get(key) == mark
            if not known and (isinstance(item, Spoiled) or context.wants(item.published_at)):
                yield Step(item, key, mark)
    yield from forgotten(list(cursor), seen)


def _item(source: Source, line: bytes, position: str, context: Context) -> RawArticle | Spoiled:
    if len(line) > MAX_BODY_BYTES:
        flaw = Flaw("oversize", f"{len(line)} bytes; a line may have {MAX_BODY_BYTES}")
        return Spoiled(flaw, position, line[:KEPT_BYTES], len(line))
    try:
        parsed = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Spoiled(Flaw("malformed_json", f"the line is no JSON: {error}"), position, line, len(line))
    if not isinstance(parsed, dict):
        return Spoiled(Flaw("malformed_json", "the line is no JSON object"), position, line, len(line))
    found = _article(source, parsed, position, context)
    return Spoiled(found, position, line, len(line)) if isinstance(found, Flaw) else found


def _article(source: Source, fields: dict[str, Any], position: str, context: Context) -> RawArticle | Flaw:
    body = fields.get("html", fields.get("text"))
    if not isinstance(body, str):
        return Flaw("missing_field", "the line needs a string `text` or `html`")
    url, own = fields.get("url"), fields.get("id")
    if not isinstance(url, str) and not isinstance(own, (str, int)):
        return Flaw("missing_field", "the line needs a string `url` or an `id`")
    try:
        identity = article_id(url=url) if isinstance(url, str) else article_id(source=source.name, own_id=str(own))
        at, precision = _date(fields.get("published_at", fields.get("date")))
    except ValueError as error:
        return Flaw("wrong_schema", str(error))
    encoded = body.encode("utf-8", "surrogatepass")
    if bad := spoiled_body(encoded, position):
        return bad.flaw
    title, authors = fields.get("title"), fields.get("authors")
    return RawArticle(
        article_id=identity,
        source=source.name,
        url=url if isinstance(url, str) else None,
        position=position,
        body=encoded,
        media_type="text/html" if "html" in fields else "text/plain",
        charset="utf-8",
        title=title if isinstance(title, str) else None,
        authors=tuple(a for a in authors if isinstance(a, str)) if isinstance(authors, list) else (),
        published_at=at,
        published_precision=precision,
        fetched_at=context.now,
    )


def _date(value: Any) -> tuple[datetime | None, Precision | None]:
    """Return an ISO 8601 instant, day or month. Raises ValueError."""
    if value is None:
        return None, None
    if not isinstance(value, str):
        raise ValueError(f"the date {value!r} is no string")
    precision: Precision = {_DAY_LENGTH: "day", _MONTH_LENGTH: "month"}.get(len(value), "instant")  # type: ignore[assignment]
    at = datetime.fromisoformat(value + "-01" if precision == "month" else value)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)), precision
