"""A news page → draft, or why it is none.

trafilatura finds the body; what it drops is compared with what the page says of itself (JSON-LD
`articleBody`, `[itemprop=articleBody]`); dates are taken as instants from the page's metadata, since
extractors give only days; dateline paragraphs ("AFP, publié le …") are metadata, not text.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import trafilatura
from lxml import etree
from lxml import html as lxml_html

from pipeline.errors import Flaw
from pipeline.events import Precision
from pipeline.markup import explosive
from pipeline.normalise.plain import Draft
from pipeline.normalise.text import clean_line, paragraphs

_NEWS_TYPES = ("Article", "NewsArticle", "ReportageNewsArticle", "AnalysisNewsArticle", "BlogPosting", "Report")
_OTHER_TYPES = ("VideoObject", "ImageGallery", "LiveBlogPosting", "CollectionPage", "ItemList", "SearchResultsPage")
_MISSING = re.compile(r"\b(?:page introuvable|page non trouvée|erreur 404|404 not found)\b", re.IGNORECASE)
_PUBLISHED_LINE = re.compile(
    r"^(?:(?:par|avec)\s+)?[\w .,'’/-]{0,60}?\b(?:publié|mis à jour|modifié|posté)e?\s+(?:le|à|il y a)\b.{0,80}$",
    re.IGNORECASE,
)
_FEWEST_CHARACTERS = 40
_TEASER_CHARACTERS = 200
_DROPPED_SHARE = 1.5


def read_html(page: str, title: str | None) -> Draft | Flaw:
    """Return the draft of a page; `title` is what the source calls it, used when the page has none."""
    if why := explosive(page.encode()):
        return Flaw("oversize", f"the page would choke a parser: {why}")
    tree = _tree(page)
    if tree is None:
        return Flaw("no_text", "the page holds no HTML element")
    data = list(_json_ld(tree))
    if flaw := _not_an_article(tree, data):
        return flaw
    body = _body(page, tree, data)
    size = sum(map(len, body))
    if size < _FEWEST_CHARACTERS:
        return Flaw("no_text", "no text is left of the page without its navigation")
    if size < _TEASER_CHARACTERS:
        return Flaw("not_an_article", f"only {size} characters of text: a teaser or a paywall stub")
    name = _title(tree, data) or (clean_line(title) if title else None)
    at, precision = _published(tree, data)
    body = [p for p in body if not _PUBLISHED_LINE.match(p)]
    if name and (not body or body[0] != name):
        body = [name, *body]
    return Draft(name, body, at, precision, _authors(tree, data))


def _tree(page: str) -> Any:
    try:
        # As bytes: lxml refuses text that declares an encoding.
        return lxml_html.document_fromstring(page.encode(), parser=lxml_html.HTMLParser(encoding="utf-8"))
    except (etree.ParserError, ValueError):
        return None


def _meta(tree: Any, *names: str) -> str | None:
    for name in names:
        for found in tree.xpath("//meta[@property=$n or @name=$n or @itemprop=$n]/@content", n=name):
            if found.strip():
                return str(found).strip()
    return None


def _json_ld(tree: Any) -> Iterator[dict[str, Any]]:
    for script in tree.xpath("//script[@type='application/ld+json']/text()"):
        try:
            found = json.loads(script, strict=False)
        except (ValueError, RecursionError):
            continue
        for each in found if isinstance(found, list) else [found]:
            if isinstance(each, dict):
                yield each
                yield from (g for g in each.get("@graph") or () if isinstance(g, dict))


def _types(data: list[dict[str, Any]]) -> set[str]:
    return {str(t) for each in data for t in _listed(each.get("@type"))}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _not_an_article(tree: Any, data: list[dict[str, Any]]) -> Flaw | None:
    types = _types(data)
    kind = (_meta(tree, "og:type") or "").lower()
    title = " ".join(tree.xpath("string(//title)").split())
    if _MISSING.search(title):
        return Flaw("not_an_article", f"a page that says it does not exist: {title[:80]!r}")
    if types.intersection(_NEWS_TYPES):
        return None
    if found := sorted(types.intersection(_OTHER_TYPES)):
        return Flaw("not_an_article", f"the page says it is a {found[0]}")
    if kind.startswith(("video", "music", "profile")):
        return Flaw("not_an_article", f"the page says it is of type {kind}")
    if not kind.startswith("article") and _link_share(tree) > 0.6:
        return Flaw("not_an_article", "most of the page's text is links: a section front")
    return None


def _link_share(tree: Any) -> float:
    whole = len(" ".join(tree.xpath("//body//text()[not(parent::script or parent::style)]")).split())
    linked = len(" ".join(tree.xpath("//body//a//text()")).split())
    # A page with next to no text is no section front: it is turned down for having no text.
    return linked / whole if whole > _TEASER_CHARACTERS else 0.0


def _body(page: str, tree: Any, data: list[dict[str, Any]]) -> list[str]:
    extracted = trafilatura.extract(
        page, include_comments=False, include_tables=False, deduplicate=False, favor_recall=False
    )
    best = paragraphs(extracted or "")
    for other in _own_bodies(tree, data):
        if sum(map(len, other)) > _DROPPED_SHARE * sum(map(len, best)):
            best = other
    return best


def _own_bodies(tree: Any, data: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield the article's body as the page itself marks it."""
    for each in data:
        if isinstance(body := each.get("articleBody"), str):
            yield paragraphs(body)
    for element in tree.xpath("//*[@itemprop='articleBody']"):
        blocks = element.xpath(".//p|.//h2|.//h3|.//li")
        yield [text for b in blocks if (text := clean_line(b.text_content()))]


def _title(tree: Any, data: list[dict[str, Any]]) -> str | None:
    for each in data:
        if each.get("@type") in _NEWS_TYPES and isinstance(each.get("headline"), str):
            return clean_line(each["headline"]) or None
    found = _meta(tree, "og:title") or tree.xpath("string(//h1)") or tree.xpath("string(//title)")
    name = clean_line(found)
    site = _meta(tree, "og:site_name")
    if site:
        name = re.sub(rf"\s*[-–—|•]\s*{re.escape(clean_line(site))}\s*$", "", name)
    return name or None


def _authors(tree: Any, data: list[dict[str, Any]]) -> tuple[str, ...]:
    named = [a for each in data for a in _listed(each.get("author"))]
    names = [a.get("name") if isinstance(a, dict) else a for a in named]
    names = [n for n in names if isinstance(n, str)] or [_meta(tree, "author", "article:author") or ""]
    return tuple(dict.fromkeys(clean_line(n) for n in names if n and not n.startswith("http")))


def _published(tree: Any, data: list[dict[str, Any]]) -> tuple[datetime | None, Precision | None]:
    """Return the first publication the page tells, from its most exact place."""
    told = [
        _meta(tree, "article:published_time"),
        *(each.get("datePublished") for each in data),
        *tree.xpath(
            "//time[@pubdate]/@datetime | //article//time/@datetime | //*[@itemprop='datePublished']/@datetime"
        ),
        _meta(tree, "datePublished", "date", "dcterms.created"),
    ]
    for value in told:
        if isinstance(value, str) and (found := _instant(value)) is not None:
            return found
    return None, None


def _instant(value: str) -> tuple[datetime, Precision] | None:
    try:
        at = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    precision: Precision = "day" if len(value.strip()) <= len("2026-01-01") else "instant"
    # A page that gives no zone means its own; France's is at most two hours from UTC.
    return (at if at.tzinfo else at.replace(tzinfo=UTC)), precision
