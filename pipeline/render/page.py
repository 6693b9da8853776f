"""One readable page of enriched articles: HTML that needs nothing but itself.

No script, no font or picture from elsewhere; everything taken from articles is escaped, and the page's own policy
lets a browser do nothing but show it. Marks carry their
meaning in words for screen readers, not by colour alone; the page follows the reader's light or dark theme.
"""

import base64
import hashlib
import html
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.events import EnrichedArticle, NewsEvent, Sentence
from pipeline.render.words import (
    EVENTS,
    QUAD_CLASSES,
    day,
    headline,
    mention_counts,
    names,
    numbers,
    shown,
    when,
    where,
)

_TYPE_NAMES = {
    "PER": "person",
    "ORG": "organisation",
    "LOC": "place",
    "EVENT": "named event",
    "PRODUCT": "product",
    "DATE": "date",
    "TIME": "time",
    "AMOUNT": "amount",
    "MONEY": "sum of money",
    "CASUALTIES": "people killed or hurt",
}
_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b1b1b, #ececec); --paper: light-dark(#fffdf8, #17181a);
  --line: light-dark(#8a8a8a, #8f8f8f); --per: light-dark(#0b5cad, #8cc4ff);
  --org: light-dark(#7a2f8f, #dda3f0);
  --loc: light-dark(#1c6b2f, #8fdc9f); --time: light-dark(#8a4b00, #f0b968);
  --event: light-dark(#a11b1b, #ff9d94); }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; font: 1.05rem/1.65 Georgia, serif;
  color: var(--ink);  background: var(--paper); }
h1, h2, h3, table, .facts, nav { font-family: system-ui, sans-serif; line-height: 1.3; }
article { border-top: 2px solid var(--line); margin-top: 3rem; }
mark { background: none; color: inherit; border-bottom: 2px solid var(--line); }
mark sup { font: 600 .6em system-ui, sans-serif; margin-left: .15em; }
mark.PER { border-color: var(--per); } mark.PER sup { color: var(--per); }
mark.ORG { border-color: var(--org); } mark.ORG sup { color: var(--org); }
mark.LOC { border-color: var(--loc); } mark.LOC sup { color: var(--loc); }
mark.DATE, mark.TIME, mark.when { border-color: var(--time); border-bottom-style: dotted; }
mark.DATE sup, mark.TIME sup, mark.when sup { color: var(--time); }
mark.event { border: 2px solid var(--event); border-radius: .3em; padding: 0 .15em; }
mark.event a { color: var(--event); text-decoration: none; font: 600 .7em system-ui, sans-serif;
  margin-left: .3em; }
mark.argument { border: 0; background: light-dark(#f1e9da, #2b2823); border-radius: .2em; padding: .1em .1em; }
mark.argument > sub { font: 600 .6em system-ui, sans-serif; margin-left: .25em; }
.scroll { overflow-x: auto; width: min(94vw, 76rem); position: relative; left: 50%; transform: translateX(-50%); }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .6rem 0 .3rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-top: 1px solid var(--line); }
.facts { font-size: .9rem; } .heading { font-weight: 700; }
.caption, .dateline { font-style: italic; font-size: .95em; }
.events td:last-child { min-width: 20rem; }
a:focus-visible, .scroll:focus-visible { outline: 3px solid var(--per); outline-offset: 2px; }
:target { outline: 3px solid var(--event); }
.skip { position: absolute; left: -99rem; } .skip:focus { position: static; }
"""


_ARGUMENT = "argument"


class _Mark(NamedTuple):
    """A stretch of text to mark; `note` is read aloud and shown behind it."""

    start: int
    end: int
    css: str
    title: str
    note: str


def html_page(articles: Sequence[EnrichedArticle]) -> str:
    """Return one complete page with all the articles, their marks, events and entities."""
    bodies = "".join(_article(enriched, number) for number, enriched in enumerate(articles, start=1))
    contents = "".join(
        f'<li><a href="#a{number}">{escape(headline(enriched))}</a> ({len(enriched.events)} events)</li>'
        for number, enriched in enumerate(articles, start=1)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Dépêche: {len(articles)} enriched articles</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#articles">To the articles</a>\n'
        f'<h1>Dépêche</h1>\n<nav aria-label="Articles"><ol>{contents}</ol></nav>\n'
        f'<main id="articles">{bodies}</main>\n</body>\n</html>\n'
    )


def escape(text: str) -> str:
    """Return text of an article for the page: nothing in it is markup, ends an attribute, or turns letters around."""
    return html.escape(shown(text))


def _policy() -> str:
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"


def _article(enriched: EnrichedArticle, number: int) -> str:
    article = enriched.article
    published = article.published_at.date().isoformat() if article.published_at else "date unknown"
    link = ""
    if article.url and article.url.startswith(("http://", "https://")):
        link = f', <a href="{escape(article.url)}" rel="noopener noreferrer nofollow">original</a>'
    prefix = f"a{number}"
    return (
        f'<article id="{prefix}" aria-labelledby="{prefix}-title">\n'
        f'<h2 id="{prefix}-title" lang="fr">{escape(headline(enriched))}</h2>\n'
        f'<p class="facts">{escape(article.source)}, {published}{link}; read by '
        f"{escape(enriched.model.name)} {escape(enriched.model.version)}</p>\n"
        f"{_text(enriched, prefix)}\n{_events(enriched.events, prefix)}\n"
        f"{_entities(enriched)}\n{_times(enriched)}\n"
        "</article>\n"
    )


def _text(enriched: EnrichedArticle, prefix: str) -> str:
    marks = _marks(enriched, prefix)
    text = enriched.article.text
    paragraphs: list[list[Sentence]] = []
    for sentence in enriched.article.sentences:
        broken = not paragraphs or "\n" in text[paragraphs[-1][-1].end : sentence.start]
        if broken or paragraphs[-1][-1].kind != sentence.kind:
            paragraphs.append([])
        paragraphs[-1].append(sentence)
    return '<div lang="fr">' + "\n".join(_paragraph(text, each, marks) for each in paragraphs) + "</div>"


def _paragraph(text: str, sentences: Sequence[Sentence], marks: Sequence[_Mark]) -> str:
    start, end = sentences[0].start, sentences[-1].end
    inside = [mark for mark in marks if start <= mark.start and mark.end <= end]
    return f'<p class="{escape(sentences[0].kind)}">{_marked(text, start, end, inside)}</p>'


def _marked(text: str, start: int, end: int, marks: Sequence[_Mark]) -> str:
    """Return a stretch of text with its marks, those inside another within it; outer ones come first in `marks`."""
    pieces = []
    while marks:
        mark, *others = marks
        inside = [each for each in others if each.start < mark.end]
        pieces += [
            escape(text[start : mark.start]),
            f'<mark class="{mark.css}" title="{escape(mark.title)}">',
            _marked(text, mark.start, mark.end, inside),
            f"{mark.note}</mark>",
        ]
        start, marks = mark.end, others[len(inside) :]
    pieces.append(escape(text[start:end]))
    return "".join(pieces)


def _marks(enriched: EnrichedArticle, prefix: str) -> list[_Mark]:
    """Return marks in the order of the text, outer ones first; of two that cross, events come before times, mentions
    and arguments. Only an argument may hold others."""
    entities = {each.entity_id: each for each in enriched.entities}
    wanted = [
        _Mark(
            e.trigger.start,
            e.trigger.end,
            "event",
            f"event {n}: {e.type} {e.mode or ''}".strip(),
            f'<a href="#{prefix}-e{n}" lang="en">{escape(e.type)} {n}</a>',
        )
        for n, e in enumerate(enriched.events, start=1)
    ]
    wanted += [_noted(t.start, t.end, "when", f"time: {when(t)}", "time") for t in enriched.times]
    for m in enriched.mentions:
        entity = entities.get(m.entity_id or "")
        kind = _TYPE_NAMES.get(m.type, m.type.lower())
        css = m.type if m.type in _TYPE_NAMES else "other"
        wanted.append(_noted(m.start, m.end, css, f"{kind}: {entity.name if entity else m.text}", kind))
    chosen: list[_Mark] = []
    for mark in wanted:
        if all(_apart(mark, other) for other in chosen):
            chosen.append(mark)
    outer: list[_Mark] = []
    for mark in _arguments(enriched.events):
        holds = all(_apart(mark, other) or _holds(mark, other) for other in chosen)
        if holds and all(_apart(mark, other) for other in outer):
            outer.append(mark)
    return sorted([*outer, *chosen], key=lambda mark: (mark.start, -mark.end, mark.css != _ARGUMENT))


def _apart(one: _Mark, other: _Mark) -> bool:
    return one.end <= other.start or other.end <= one.start


def _holds(outer: _Mark, inner: _Mark) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _arguments(events: Sequence[NewsEvent]) -> list[_Mark]:
    """Return who, to whom and where of each event, a stretch that is several of them once, the longest first."""
    roles: dict[tuple[int, int], list[str]] = {}
    for n, event in enumerate(events, start=1):
        places = (event.place,) if event.place and "place" not in event.inferred else ()
        for role, found in (("who", event.actors), ("to whom", event.recipients), ("where", places)):
            for each in found:
                roles.setdefault((each.start, each.end), []).append(f"{role} {n}")
    longest = sorted(roles, key=lambda span: (span[0] - span[1], span))
    return [
        _Mark(*span, _ARGUMENT, f"of event: {', '.join(roles[span])}", f'<sub lang="en">{", ".join(roles[span])}</sub>')
        for span in longest
    ]


def _noted(start: int, end: int, css: str, title: str, note: str) -> _Mark:
    return _Mark(start, end, css, title, f'<sup lang="en">{escape(note)}</sup>')


def _events(events: Sequence[NewsEvent], prefix: str) -> str:
    rows = [
        (
            f'<tr id="{prefix}-e{n}">',
            number,
            f"{e.type} {e.mode or ''}".strip(),
            QUAD_CLASSES[e.quad_class],
            names(e.actors),
            names(e.recipients),
            where(e),
            day(e),
            e.status,
            e.sentence.text,
        )
        for n, (number, e) in enumerate(zip(numbers(events), events, strict=True), start=1)
    ]
    heads = ("No.", "Event", "Class", "Who", "To whom", "Where", "When", "Status", "Evidence")
    return _table(EVENTS, heads, rows, "events")


def _entities(enriched: EnrichedArticle) -> str:
    counts = mention_counts(enriched)
    rows = [
        (
            "<tr>",
            each.name,
            _TYPE_NAMES.get(each.type, each.type),
            each.country or "",
            " ".join(each.sectors),
            str(each.geonames_id or ""),
            str(counts.get(each.entity_id, 0)),
        )
        for each in enriched.entities
    ]
    return _table("Entities", ("Name", "Kind", "Country", "Sectors", "GeoNames id", "Mentions"), rows)


def _times(enriched: EnrichedArticle) -> str:
    rows = [("<tr>", each.text, when(each), each.granularity) for each in enriched.times]
    return _table("Times", ("Expression", "Means", "Granularity"), rows)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], css: str = "") -> str:
    """Return a table; the first cell of each row is its opening tag, the second its header."""
    if not rows:
        return f'<p class="facts">{caption}: none found.</p>'
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join(
        f'{row[0]}<th scope="row">{escape(row[1])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[2:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="{f"scroll {css}".strip()}" tabindex="0" role="region" aria-label="{caption}">'
        f"<table><caption>{caption}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
