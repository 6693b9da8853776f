"""The bytes of a feed → its entries, or what is wrong with them. RSS 0.9 to 2.0 and Atom."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urljoin
from xml.etree.ElementTree import ParseError

import feedparser
import msgspec
from defusedxml import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import fromstring

from pipeline.errors import Flaw
from pipeline.events import Instant
from pipeline.fetch.haul import Spoiled, spoiled_body, true_size
from pipeline.identity import bare
from pipeline.markup import explosive
from pipeline.ports import Response

_DECLARATION = re.compile(rb"""^\s*<\?xml\b[^>]*\?>""")
_ENCODING = re.compile(rb"""\bencoding\s*=\s*["']([\w.:-]+)["']""")
_HEADER_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_END = re.compile(rb"</(?:[\w-]+:)?(?:rss|feed|RDF)\s*>", re.IGNORECASE)


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a feed; `mark` is a hash of its fields."""

    key: str
    link: str
    title: str | None = None
    authors: tuple[str, ...] = ()
    published_at: Instant | None = None
    mark: str


class FeedPage(NamedTuple):
    """What one document of a feed holds. `whole`: nothing of it was lost."""

    entries: tuple[Entry, ...]
    spoiled: tuple[Spoiled, ...] = ()
    following: str | None = None
    whole: bool = True


def charset_of(response: Response) -> str | None:
    """Return the charset the HTTP header declares."""
    found = _HEADER_CHARSET.search(response.headers.get("content-type", ""))
    return found[1] if found else None


def read_feed(response: Response) -> FeedPage:
    """Return the entries in the feed's order, and what could not be read. Never raises on any bytes."""
    body = response.body
    if bad := spoiled_body(body, response.url, size=true_size(response)):
        return FeedPage((), (bad,), whole=False)
    xml = _as_utf8(body, charset_of(response))
    flaw = _flaw(xml)
    if flaw is not None and flaw.reason == "hostile_xml":
        return FeedPage((), (_spoiled(response, flaw),), whole=False)
    parsed: Any = feedparser.parse(xml, sanitize_html=False)
    raws = parsed.entries
    if flaw is None and not parsed.version:
        flaw = Flaw("malformed_xml", "the document is XML, but neither RSS nor Atom")
    elif flaw is not None and not _END.search(xml):
        raws = raws[:-1]  # a feed cut off may end in half an entry, with half a link
    entries, spoiled = _entries(raws, response)
    if flaw is not None:
        spoiled.append(_spoiled(response, flaw))
    return FeedPage(tuple(entries), tuple(spoiled), _following(parsed, response), whole=flaw is None)


def _spoiled(response: Response, flaw: Flaw) -> Spoiled:
    return Spoiled(flaw, response.url, response.body, len(response.body))


def _as_utf8(body: bytes, header: str | None) -> bytes:
    """Return the document in UTF-8 without its XML declaration.

    Strict UTF-8 first, for CP1252 hardly ever passes as UTF-8; then what the XML declares, which beats the
    header (a bare text/xml would mean US-ASCII); then CP1252. UTF-16 is told by its mark.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _DECLARATION.sub(b"", body.decode("utf-16", errors="replace").encode())
    body = body.removeprefix(b"\xef\xbb\xbf")
    declaration = _DECLARATION.match(body)
    encoding = _ENCODING.search(declaration[0]) if declaration else None
    declared = encoding[1].decode("ascii", "replace") if encoding else header
    bare = body[declaration.end() :] if declaration else body
    for charset in ("utf-8", declared, "cp1252"):
        try:
            return bare.decode(_widened(charset)).encode()
        except (UnicodeError, LookupError):
            continue
    return bare.decode("cp1252", errors="replace").encode()


def _widened(charset: str | None) -> str:
    """Return CP1252 for Latin-1: sites that declare the one mean the other."""
    return "cp1252" if (charset or "").lower() in ("", "iso-8859-1", "latin-1", "latin1", "us-ascii") else str(charset)


def _flaw(xml: bytes) -> Flaw | None:
    """Return why the XML is not to be trusted. A document type is how XML bombs and outside entities come in."""
    if why := explosive(xml):
        return Flaw("hostile_xml", f"the feed would choke a parser: {why}")
    try:
        fromstring(xml, forbid_dtd=True)
    except DTDForbidden as error:
        if error.name.lower() == "html" and b"<!ENTITY" not in xml:
            return Flaw("malformed_xml", "the document is a web page, no feed")
        return Flaw("hostile_xml", f"the feed declares the document type {error.name!r}")
    except DefusedXmlException as error:
        return Flaw("hostile_xml", f"the feed declares entities: {error}")
    except (ParseError, ValueError) as error:
        if b"<!ENTITY" in xml:
            return Flaw("hostile_xml", f"the feed declares entities and is not well-formed: {error}")
        return Flaw("malformed_xml", f"the feed is not well-formed: {error}")
    return None


def _entries(raws: list[Any], response: Response) -> tuple[list[Entry], list[Spoiled]]:
    entries: dict[str, Entry] = {}
    spoiled = []
    for number, raw in enumerate(raws, 1):
        link = raw.get("link")
        if not link:
            said = "\n".join(f"{name}: {raw[name]}" for name in ("id", "title", "published", "summary") if name in raw)
            original = said.encode("utf-8", "replace")
            flaw = Flaw("missing_field", "the entry has no link")
            spoiled.append(Spoiled(flaw, f"{response.url}#{number}", original, len(original)))
            continue
        # Some feeds give one id to several entries: the second is known by its link.
        key = bare(str(raw.get("id") or link))
        key = bare(str(link)) if key in entries else key
        entries.setdefault(key, _entry(raw, key, bare(urljoin(response.url, str(link).strip()))))
    return list(entries.values()), spoiled


def _entry(raw: Any, key: str, link: str) -> Entry:
    fields = [str(raw.get(name, "")) for name in ("id", "link", "title", "updated", "published", "summary")]
    names = [str(author.get("name") or "").strip() for author in raw.get("authors", ())]
    return Entry(
        key=key,
        link=link,
        title=raw.get("title") or None,
        authors=tuple(name for name in names if name),
        published_at=_instant(raw.get("published_parsed") or raw.get("updated_parsed")),
        mark=hashlib.sha256("\x1f".join(fields).encode("utf-8", "replace")).hexdigest()[:16],
    )


def _instant(moment: Any) -> datetime | None:
    """Return feedparser's UTC time; None for one no calendar has."""
    try:
        year, month, day, hour, minute, second = moment[:6] if moment else (0, 0, 0, 0, 0, 0)
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _following(parsed: Any, response: Response) -> str | None:
    """Return the address of the feed's next page (RFC 5005)."""
    for link in parsed.feed.get("links", ()):
        if link.get("rel") == "next" and link.get("href"):
            return bare(urljoin(response.url, str(link["href"])))
    return None
