"""Bytes → text. Header and detector are both wrong often enough to matter, so the bytes decide.

Order, from sources.md's measurements on real pages: a byte order mark or UTF-16 first, then *strict* UTF-8,
then CP1252, the superset of Latin-1 that French sites mean by it. What was declared only breaks a tie: a
single-byte charset other than those two, in which the bytes decode, is believed.
"""

import codecs
import re
from typing import NamedTuple

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)
_LATIN = {"latin-1", "iso8859-1", "cp1252", "utf-8", "ascii"}
# CP1252 leaves five bytes undefined; browsers read them as the C1 controls of Latin-1 (WHATWG Encoding).
_UNDEFINED = {0x81: "\x81", 0x8D: "\x8d", 0x8F: "\x8f", 0x90: "\x90", 0x9D: "\x9d"}
_CP1252 = "".join(_UNDEFINED.get(byte) or bytes([byte]).decode("cp1252") for byte in range(256))


class Decoded(NamedTuple):
    text: str
    charset: str


def decode(body: bytes, declared: str | None = None) -> Decoded:
    """Return the text and the charset that gave it; every byte string has one."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return Decoded(body.decode(name, errors="replace"), name)
    if sixteen := _utf16_without_mark(body):
        return Decoded(body.decode(sixteen, errors="replace"), sixteen)
    try:
        return Decoded(body.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    known = _known(declared) or _known(_declared_inside(body))
    if known is not None and known not in _LATIN:
        try:
            return Decoded(body.decode(known), known)
        except UnicodeDecodeError:
            pass
    return Decoded(codecs.charmap_decode(body, "strict", _CP1252)[0], "cp1252")


def _utf16_without_mark(body: bytes) -> str | None:
    """Return the byte order if every other byte of the beginning is NUL, as in Latin script."""
    head = body[:512]
    if len(head) < 8:
        return None
    half = len(head) // 2
    if head[1::2].count(0) > 0.8 * half and head[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if head[0::2].count(0) > 0.8 * half and head[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def _declared_inside(body: bytes) -> str | None:
    match = _META.search(body[:4096])
    return match[1].decode("ascii") if match else None


def _known(name: str | None) -> str | None:
    if not name:
        return None
    try:
        info = codecs.lookup(name.strip())
    except LookupError:
        return None
    return info.name if info._is_text_encoding else None
