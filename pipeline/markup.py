"""What must be known of XML and HTML before a parser may see it: parsers are slow on what no writer writes."""

import re
from collections.abc import Iterator

MOST_TAGS = 200_000
"""Openings of a tag; a news page has some thousand. A million empty paragraphs took an extractor 43 s."""
LONGEST_TAG = 32 * 1024
"""Bytes of one tag without its quoted values (pictures stand in those). Half a million attributes took libxml2 and
expat minutes, for each is compared with all before it."""

# Possessive throughout, so that no input makes it go back: it is linear.
_TAG = re.compile(rb"""<[A-Za-z](?:[^=>]++|=\s*+"[^"]*+"|=\s*+'[^']*+'|=)*+""")
_VALUE = re.compile(rb"""=\s*+(?:"[^"]*+"|'[^']*+')""")


def explosive(markup: bytes) -> str | None:
    """Return why a parser should not be given these bytes, or None. Linear in their number."""
    if (tags := markup.count(b"<")) > MOST_TAGS:
        return f"{tags} tags; {MOST_TAGS} are read"
    for tag in _long_tags(markup):
        if len(_VALUE.sub(b"", tag)) > LONGEST_TAG:
            return f"a tag has more than {LONGEST_TAG} bytes of attributes"
    return None


def _long_tags(markup: bytes) -> Iterator[bytes]:
    for found in _TAG.finditer(markup):
        if found.end() - found.start() > LONGEST_TAG:
            yield found[0]
