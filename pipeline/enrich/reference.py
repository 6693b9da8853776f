"""Who is meant where no name stands: `le patron de l'Otan`, `le président`, `ce dernier`, `elle`.

A description is the one person of the article who holds that office, of the same country or body; where two
were, or none, it is nobody. A pronoun is the one person named before it in its sentence, or else in the sentence
before. Nothing is guessed: what is not safe stays without an entity.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.enrich.actors import role_in
from pipeline.enrich.gazetteer import folded
from pipeline.events import Article, Entity, Mention
from pipeline.ports import Span

# How far from a name its office may stand: `le secrétaire général de l'Otan, le Norvégien Jens Stoltenberg`.
_REACH = 70
_APPOSITION = re.compile(r"\s?,\s(?:le |la |l['’])?(?P<title>[^,.;:()«»\"\n]{3,80})")
_CLAUSE = re.compile(r"[.;:!?()«»\"\n]")
# Offices by what they are over folded text, the most specific first; each matches at the start of a title.
_OFFICES = tuple(
    (name, re.compile(rf"(?:(?:nouveau|nouvelle) )?(?:{pattern})\b"))
    for name, pattern in (
        ("pm", r"premier ministre|premiere ministre|chef(?:fe)? du gouvernement|chanceliere?"),
        ("foreign", r"ministre .{0,30}?affaires etrangeres|chef(?:fe)? de la diplomatie|secretaire d'etat"),
        ("defence", r"(?:ministre|secretaire) .{0,30}?(?:defense|armees)"),
        ("interior", r"ministre .{0,30}?interieur"),
        ("president", r"presidente?|chef(?:fe)? de l'etat"),
        ("head", r"patron(?:ne)?|secretaire generale?|dirigeante?|leader|numero un|chef(?:fe)?|directeur|directrice"),
        ("crown", r"roi|reine|souveraine?|emir|sultan"),
        ("pope", r"pape|souverain pontife"),
        ("mayor", r"maire"),
        ("governor", r"gouverneure?"),
        ("spokes", r"porte-parole"),
    )
)
_NEEDS_BODY = frozenset(("head", "spokes", "mayor", "governor"))
_BODY = re.compile(r"\b(?:de l['’]|de la |du |des |d['’]|de )(?P<name>[A-ZÉÎÔ][\w’'-]*(?: [A-ZÉ][\w’'-]*)*)")
_PRONOUN = re.compile(r"(?:il|elle|lui|l['’]intéressée?|ce dernier|cette dernière|celui-ci|celle-ci)$", re.IGNORECASE)
_LAST_NAMED = re.compile(r"ce dernier|cette dernière|celui-ci|celle-ci", re.IGNORECASE)
_FEMININE = re.compile(r"elle|cette|celle|intéressée", re.IGNORECASE)
# What makes a name something else than what its sentence is about, with up to four words of a title between.
_OBLIQUE = re.compile(r"(?:\b(?:par|de|du|des|à|au|avec|contre|pour|chez|selon|et)\s|d['’])(?:[\w’'-]+ ){0,4}$")
_FORMER = re.compile(r"\b(?:ancien(?:ne)?|ex)\b", re.IGNORECASE)
_MADAM = re.compile(r"\b(?:Mme|Madame|la (?:présidente|ministre|cheffe|maire|députée|sénatrice))\s$")
_SIR = re.compile(r"\b(?:M\.|Monsieur|le (?:président|ministre|chef|maire|député|sénateur))\s$")


class _Office(NamedTuple):
    """What somebody is, and of which country or body; None where the words do not say."""

    kind: str
    of: str | None


class References:
    """The persons of one article by their offices, and where each is named."""

    def __init__(self, article: Article, mentions: Sequence[Mention], entities: Mapping[str, Entity]) -> None:
        self._article = article
        self._people = [m for m in mentions if m.type == "PER" and m.entity_id in entities]
        self._entities = entities
        self._offices: dict[str, set[_Office]] = {}
        for mention in self._people:
            for title in _titles(article.text, mention):
                office = _office(title)
                if office is not None and mention.entity_id is not None:
                    self._offices.setdefault(mention.entity_id, set()).add(office)

    def resolve(self, span: Span) -> Entity | None:
        """Return the person whom the words at `span` mean, None where that is not certain."""
        words = self._article.text[span.start : span.end]
        if _PRONOUN.match(words):
            return self._pronoun(span, words)
        office = _office(words)
        return self._described(office) if office else None

    def _described(self, office: _Office) -> Entity | None:
        if office.of is None and office.kind in _NEEDS_BODY:
            return None
        fits = [
            entity_id
            for entity_id, held in self._offices.items()
            if any(o.kind == office.kind and (office.of is None or o.of == office.of) for o in held)
        ]
        return self._entities[fits[0]] if len(fits) == 1 else None

    def _pronoun(self, span: Span, words: str) -> Entity | None:
        sentences = [s for s in self._article.sentences if s.start <= span.start]
        for back, sentence in enumerate(reversed(sentences[-2:])):
            end = span.start if back == 0 else sentence.end
            named = [m for m in self._people if sentence.start <= m.start and m.end <= end]
            if not named:
                continue
            if len({m.entity_id for m in named}) > 1 and not (back == 0 and _LAST_NAMED.match(words)):
                return None
            if back and not any(self._leads(m, sentence.start) for m in named):
                return None
            entity = self._entities[named[-1].entity_id or ""]
            return entity if self._agrees(entity, feminine=bool(_FEMININE.search(words))) else None
        return None

    def _leads(self, mention: Mention, start: int) -> bool:
        """Tell whether a name can be what its sentence is about, which the next one goes on with."""
        return _OBLIQUE.search(self._article.text, start, mention.start) is None

    def _agrees(self, entity: Entity, *, feminine: bool) -> bool:
        """Tell whether nothing that stands before the person's names says the other gender."""
        other = _SIR if feminine else _MADAM
        before = (self._article.text[max(0, m.start - 20) : m.start] for m in self._named(entity))
        mentions = (m.text for m in self._named(entity))
        return not any(other.search(text) for text in (*before, *(f"{m.split(' ')[0]} " for m in mentions)))

    def _named(self, entity: Entity) -> Iterable[Mention]:
        return (m for m in self._people if m.entity_id == entity.entity_id)


def _titles(text: str, mention: Mention) -> Iterable[str]:
    """Yield what stands right before a name and what stands in apposition behind it."""
    before = _CLAUSE.split(text[max(0, mention.start - _REACH) : mention.start])[-1].rstrip(" ,")
    words = [] if _FORMER.search(before) else before.split(" ")
    yield from (" ".join(words[n:]) for n in range(len(words)))
    behind = _APPOSITION.match(text, mention.end)
    if behind and not _FORMER.match(behind["title"]):
        yield behind["title"]


def _office(title: str) -> _Office | None:
    plain = folded(title).replace("’", "'")
    held = next(((name, match.end()) for name, pattern in _OFFICES if (match := pattern.match(plain))), None)
    if held is None:
        return None
    kind, end = held
    body = _BODY.search(title, end)
    country = role_in(title).country
    return _Office(kind, country or (folded(body["name"]) if body else None))
