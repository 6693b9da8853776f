"""Which page is it? `link rel=canonical` beats `og:url` (they differ on 5 % of pages), which beats the address."""

from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree
from lxml import html as lxml_html

from pipeline.identity import canonical_url
from pipeline.markup import explosive

_REL_CANONICAL = "//link[contains(concat(' ', normalize-space(@rel), ' '), ' canonical ')]/@href"
_OG_URL = "//meta[@property='og:url' or @name='og:url']/@content"


def canonical_of(body: bytes, address: str) -> str:
    """Return the canonical address of a page that was fetched from `address`."""
    for told in _told(body):
        try:
            url = canonical_url(urljoin(address, told.strip()))
        except ValueError:
            continue
        # Some sites name their front page on every page: all their articles would be one.
        if urlsplit(url).path.strip("/") or not urlsplit(address).path.strip("/"):
            return url
    return canonical_url(address)


def _told(body: bytes) -> list[str]:
    if explosive(body):
        return []
    try:
        tree: Any = lxml_html.document_fromstring(body)
    except (etree.ParserError, ValueError):
        return []
    return [str(value) for value in tree.xpath(_REL_CANONICAL) + tree.xpath(_OG_URL) if value.strip()]
