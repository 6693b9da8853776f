"""Which page is it? `link rel=canonical` beats `og:url` (they differ on 5 % of pages), which beats the address."""

from typing import Any
from urllib.parse import urljoin

from lxml import etree
from lxml import html as lxml_html

from pipeline.identity import canonical_url


def canonical_of(body: bytes, address: str) -> str:
    """Return the canonical address of a page that was fetched from `address`."""
    for told in _told(body):
        try:
            return canonical_url(urljoin(address, told.strip()))
        except ValueError:
            continue
    return canonical_url(address)


def _told(body: bytes) -> list[str]:
    try:
        tree: Any = lxml_html.document_fromstring(body)
    except (etree.ParserError, ValueError):
        return []
    found = tree.xpath("//link[@rel='canonical']/@href") + tree.xpath("//meta[@property='og:url']/@content")
    return [str(value) for value in found if value.strip()]
