"""The same input and the same code give the same ids, so that a replay is recognised anywhere."""

import hashlib
import re
from urllib.parse import urldefrag
from uuid import UUID, uuid5

from courlan import normalize_url

# Namespace of every id made here: uuid5(NAMESPACE_URL, "urn:depeche").
_NAMESPACE = UUID("25133a3a-eca1-5b76-a5d0-8218643302eb")
_SEPARATOR = "\x1f"
_CREDENTIALS = re.compile(r"(\b[a-z][a-z0-9+.-]*:/{2,})[^/?#\s\"'<>]*@", re.IGNORECASE)


def _uuid(*parts: str) -> str:
    return str(uuid5(_NAMESPACE, _SEPARATOR.join(parts)))


def bare(text: str) -> str:
    """Return an address, or any text with addresses in it, without the names and passwords before their hosts."""
    return _CREDENTIALS.sub(r"\1", text)


def canonical_url(url: str) -> str:
    """Return one spelling for all addresses of a page: lower-case host, no password, fragment or tracking parameters.

    Raises ValueError when `url` is no http(s) address.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"not an http address: {bare(url)!r}")
    return normalize_url(urldefrag(bare(url.strip())).url.replace("[", "%5B").replace("]", "%5D"))


def article_id(*, url: str | None = None, source: str = "", own_id: str = "") -> str:
    """Return the id of an article: from its canonical address, or from its source's own id where it has none."""
    if url is not None:
        return _uuid("article", canonical_url(url))
    if not (source and own_id):
        raise ValueError("an article without an address needs its source's name and own id")
    return _uuid("article", source, own_id)


def content_hash(title: str | None, text: str) -> str:
    """Return the SHA-256, in hex, of what a reader sees: title and normalised text."""
    return hashlib.sha256(f"{title or ''}{_SEPARATOR}{text}".encode()).hexdigest()


def event_id(kind: str, *parts: str) -> str:
    """Return the id of an event of type `kind`; `parts` say which one (article, revision, content, code version)."""
    return _uuid("event", kind, *parts)
