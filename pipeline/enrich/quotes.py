"""Quotations and who said them: `« … », a déclaré Jens Stoltenberg`, `Selon l'ONU, "…"`, `… a-t-il ajouté`.

A speaker is the name that stands with a verb of speech beside the quotation, before or after it. A pronoun is the
person named last before it, if only one was named in that sentence. Where nothing says who speaks, nobody does.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from pipeline.enrich import tables
from pipeline.enrich.mentions import evidence
from pipeline.events import Article, Entity, Evidence, Mention, Quote
from pipeline.ports import Span

_QUOTED = re.compile(r"«\s*(?P<a>[^«»]{2,2000}?)\s*»|“\s*(?P<b>[^“”]{2,2000}?)\s*”|\"(?P<c>[^\"\n]{2,2000}?)\"")
_FEWEST_WORDS = 4
"""A shorter quotation is a term somebody used, `un "acte de guerre"`, rather than something said."""
_REACH = 160
"""How far from the quotation, in code points, the verb and its subject may stand."""
_TITLE_REACH = 12
_PRONOUN = re.compile(r"(?<!\w)(?:il|elle)(?!\w)", re.IGNORECASE)
_ACCORDING = re.compile(
    r"(?<!\w)(?:(?P<cue>selon|d['’]après)\s+(?:l['’]|(?:le|la|les)\s+)?|(?P<short>pour)\s+)(?:(?:MM?\.|Mmes?|Me)\s+)?$",
    re.IGNORECASE,
)
# `a déclaré à l'AFP Jean Dupont`: who is spoken to.
_ADDRESSED = re.compile(
    r"(?<!\w)(?:à|au|aux|auprès\s+d[eu]|devant|dans|sur)\s+(?:l['’]|(?:la|le|les)\s+)?$", re.IGNORECASE
)
# `le secrétaire général de l'ONU, Antonio Guterres`: the body, and behind it who speaks for it.
_OF = re.compile(r"(?<!\w)(?:d['’]|du\s+|des\s+|de\s+(?:l['’]|la\s+|les\s+)?)$", re.IGNORECASE)
_APPOSITION = re.compile(r",?\s+(?:(?:MM?\.|Mmes?)\s+)?$")
_SPEAKERS = ("PER", "ORG")


def find_quotes(article: Article, mentions: Sequence[Mention], entities: Mapping[str, Entity]) -> list[Quote]:
    """Return the quotations of an article in order, each with its speaker where the text names one."""
    out = []
    for match in _QUOTED.finditer(article.text):
        group = next(name for name in "abc" if match[name] is not None)
        span = Span(match.start(group), match.end(group))
        if len(match[group].split()) < _FEWEST_WORDS:
            continue
        said = evidence(article, span)
        found = _speaker(article, Span(*match.span()), mentions)
        cue, mention, at = found if found else (None, None, None)
        entity = entities.get(mention.entity_id or "") if mention else None
        out.append(
            Quote(
                start=said.start,
                end=said.end,
                text=said.text,
                speaker=at,
                entity_id=entity.entity_id if entity else None,
                name=entity.name if entity else None,
                cue=cue,
            )
        )
    return out


def _speaker(article: Article, quoted: Span, mentions: Sequence[Mention]) -> tuple[Evidence, Mention, Evidence] | None:
    """Return the words that say somebody speaks, the name of who does, and where it or its pronoun stands.

    Looked for behind the quotation, then before it, as far as the sentences go in which it ends and begins.
    """
    around = [s for s in article.sentences if s.start < quoted.end and quoted.start < s.end]
    if not around:
        return None
    behind = Span(quoted.end, max(quoted.end, min(around[-1].end, quoted.end + _REACH)))
    before = Span(min(quoted.start, max(around[0].start, quoted.start - _REACH)), quoted.start)
    return next(
        (each for clause in (behind, before) for each in _told(article, clause, mentions, quoted)),
        None,
    )


def _told(
    article: Article, clause: Span, mentions: Sequence[Mention], quoted: Span
) -> Iterator[tuple[Evidence, Mention, Evidence]]:
    named = [m for m in mentions if m.type in _SPEAKERS and clause.start <= m.start and m.end <= clause.end]
    for mention in named:
        source = _ACCORDING.search(article.text, clause.start, mention.start)
        if source:
            yield evidence(article, _cue(source)), mention, evidence(article, Span(*_at(mention)))
    for cue in _cues().finditer(article.text, clause.start, clause.end):
        pronoun = _PRONOUN.search(cue[0])
        if pronoun:
            person = _named_last(article, quoted.start, mentions)
            if person:
                at = Span(cue.start() + pronoun.start(), cue.start() + pronoun.end())
                yield evidence(article, Span(*cue.span())), person, evidence(article, at)
            continue
        heard = [m for m in named if not _ADDRESSED.search(article.text, clause.start, m.start)]
        subject = min(heard, key=lambda m: max(m.start - cue.end(), cue.start() - m.end), default=None)
        if subject is not None and subject.type == "ORG":
            subject = _speaks_for(article.text, subject, heard) or subject
        if subject is not None:
            yield evidence(article, Span(*cue.span())), subject, evidence(article, Span(*_at(subject)))


def _speaks_for(text: str, body: Mention, named: Sequence[Mention]) -> Mention | None:
    """Return the person whose title the body is a part of."""
    if not _OF.search(text, max(0, body.start - _TITLE_REACH), body.start):
        return None
    behind = (m for m in named if m.type == "PER" and body.end < m.start <= body.end + _TITLE_REACH)
    return next((m for m in behind if _APPOSITION.fullmatch(text, body.end, m.start)), None)


def _at(mention: Mention) -> tuple[int, int]:
    return mention.start, mention.end


def _cue(match: re.Match[str]) -> Span:
    return Span(*match.span("cue" if match["cue"] else "short"))


def _named_last(article: Article, before: int, mentions: Sequence[Mention]) -> Mention | None:
    """Return the one person named in the nearest sentence before that names any; None where it names two."""
    for sentence in reversed([s for s in article.sentences if s.start < before]):
        people = {
            m.entity_id: m
            for m in mentions
            if m.type == "PER" and sentence.start <= m.start < min(sentence.end, before)
        }
        if people:
            return next(iter(people.values())) if len(people) == 1 else None
    return None


@cache
def _cues() -> re.Pattern[str]:
    """Return what says that somebody speaks: `a déclaré`, `a-t-il ajouté`, `affirme`, `explique-t-elle`."""
    rows = tables.rows("speech.tsv", 3)
    participles = "|".join(participle for _, participle, _ in rows)
    present = "|".join(forms for *_, forms in rows)
    # `a-t-elle également ajouté`, `a de son côté affirmé`
    adverb = r"(?:\s+[\w'’]+){0,3}?"
    return re.compile(
        rf"(?<!\w)(?:(?:s['’])?(?:a|ont|avait|avaient)(?:-t-(?:il|elle)|-ils|-elles)?{adverb}\s+(?:{participles})e?s?"
        rf"|(?:s['’]est|s['’]était)(?:-(?:il|elle))?\s+(?:{participles})e?"
        rf"|(?:s['’])?(?:{present})(?:-t-(?:il|elle)|-(?:il|elle)s?)?)(?!\w)",
        re.IGNORECASE,
    )
