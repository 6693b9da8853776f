"""The scene of an article: the country it plays in, for actors whose own words do not tell theirs.

`La police a interpellé …` in a story from Lyon is the French police. Every place, body, person and demonym that
tells a country is a vote; those of the title and of the place an article is dated from count more. An article that
is about two countries alike has no scene: nothing is inferred there.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipeline.enrich.actors import country_of_words
from pipeline.enrich.mentions import by_sentence, overlaps
from pipeline.events import Article, Entity, Mention
from pipeline.ports import Span

# Weights and share by hand, on the annotated articles outside the test part.
_OPENING_WEIGHT = 3.0
_MENTION_WEIGHT = 1.0
_LEAST_SHARE = 0.4
_WORD = re.compile(r"\w[\w'’-]*")


class Scene:
    """Countries by how often each part of an article speaks of them; ISO 3166 alpha-3, states only."""

    def __init__(self, article: Article, mentions: Sequence[Mention], entities: Mapping[str, Entity]) -> None:
        votes = [*_of_mentions(mentions, entities), *_of_words(article, mentions)]
        inside = by_sentence(article.sentences, votes, lambda vote: vote[0])
        self._sentences = [_only(here) for here in inside]
        opening = [s for n, s in enumerate(article.sentences) if n == 0 or s.kind == "dateline"]
        total: Counter[str] = Counter()
        for at, country in votes:
            first = any(s.start <= at < s.end for s in opening)
            total[country] += _OPENING_WEIGHT if first else _MENTION_WEIGHT  # type: ignore[assignment]
        self._article = _leading(total)

    def country(self, sentence: int) -> str | None:
        """Return the country that sentence number `sentence` plays in: its own where it names one, the article's."""
        return self._sentences[sentence] or self._article


def _of_mentions(mentions: Iterable[Mention], entities: Mapping[str, Entity]) -> list[tuple[int, str]]:
    found = ((m.start, entities[m.entity_id].country) for m in mentions if m.entity_id in entities and m.entity_id)
    return [(at, country) for at, country in found if country and is_state(country)]


def _of_words(article: Article, mentions: Sequence[Mention]) -> list[tuple[int, str]]:
    """Return the demonyms outside of names: `la police malienne`."""
    named = [m for m in mentions if m.entity_id]
    taken = by_sentence(article.sentences, [Span(m.start, m.end) for m in named], lambda span: span.start)
    out = []
    for sentence, here in zip(article.sentences, taken, strict=True):
        for word in _WORD.finditer(article.text, sentence.start, sentence.end):
            country = country_of_words(word[0])
            if country and is_state(country) and not overlaps(Span(*word.span()), here):
                out.append((word.start(), country))
    return out


def is_state(country: str) -> bool:
    """Tell whether a code is a country's, not one of PLOVER's for alliances, firms and movements."""
    return country not in {"IGO", "UNO", "EUR", "NGO", "ISM", "IMG", "MNC"}


def _only(votes: Sequence[tuple[int, str]]) -> str | None:
    """Return the only country of a sentence."""
    countries = {country for _, country in votes}
    return next(iter(countries)) if len(countries) == 1 else None


def _leading(votes: Counter[str]) -> str | None:
    if not votes:
        return None
    (first, most), *_ = votes.most_common(1)
    return first if most >= _LEAST_SHARE * votes.total() else None
