"""Who an actor is: country and PLOVER sectors, from the words around a name and a table of the well known.

`ministre ukrainien de la Défense` → UKR, GOV MIL. Nothing is inferred from the article's own country.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, lru_cache
from typing import NamedTuple

from pipeline.enrich import tables
from pipeline.enrich.gazetteer import folded, key
from pipeline.enrich.places import capital_of, country_named
from pipeline.events import Article, Entity, Mention, Participant
from pipeline.ports import Span

_WORD = re.compile(r"\w[\w'-]*")
_COUNTRY_IN_TEXT = re.compile(
    r"\b(?:d['’]|de l['’]|de la |de |du |des |en |au |aux )([A-ZÉÎÔ][\w’'-]+(?:[ -][A-Z][\w’'-]+)*)"
)
# Somebody who was something: no longer of that sector, an elite (PLOVER manual, sector ELI).
_FORMER = re.compile(r"(?:\bex[- ]|\bancien(?:ne)?s? )", re.IGNORECASE)

_PRESIDENT = re.compile(r"(?:vice-)?présidente?s? ", re.IGNORECASE)


# What stands before a name and makes the actor somebody else.
_OF = re.compile(r"(?:\b(?:de|du|des|à|au|aux|en|dans|sur|contre)(?: la| l['’]| les)?|\b[dl]['’])\s?$")
_OTHERS = re.compile(
    r"(?:allié|soutien|partenaire|voisin|ennemi|adversaire|opposant|rival|créancier)e?s? (?:de|du|des|d['’]|à)\b|anti-",
    re.IGNORECASE,
)


# Those who are of several countries, or of another one than the article's.
_MANY = re.compile(
    r"\b(?:pays|nations|[Éé]tats|États|Etats|[Oo]ccidenta\w+|[Oo]ccident|communauté internationale|alliés|puissances"
    r"|ONG|internationa\w+|étrang\w+|mondia\w+|multinationales?|casques bleus|continent|monde)\b"
)


class Role(NamedTuple):
    """What an actor is; both empty when nothing tells."""

    country: str | None = None
    sectors: tuple[str, ...] = ()


class KnownActor(NamedTuple):
    """One row of the table: an organisation, or a person in one term of office."""

    name: str
    type: str
    role: Role
    start: date
    end: date


@lru_cache(maxsize=65536)
def role_in(text: str) -> Role:
    """Return what the words of `text` say of the actor they name."""
    country = country_of_words(text)
    sectors: list[str] = []
    plain = folded(text)
    for pattern, codes, own_country in _sector_patterns():
        if pattern.search(plain):
            sectors += codes
            country = country or own_country
            # A title says what its holder is; what stands behind it is only its complement.
            plain = pattern.sub(" ", plain, count=1)
    if _FORMER.search(text) and sectors:
        sectors = ["ELI"]
    return Role(country, tuple(dict.fromkeys(sectors)))


def may_be_local(text: str) -> bool:
    """Tell whether an actor whose words name no country may be taken for one of the country the article plays in."""
    return _MANY.search(text) is None and _OTHERS.match(text) is None


def known_actor(name: str, day: date | None) -> KnownActor | None:
    """Return the well-known actor of this name, with the sectors of the office held on `day`, if any."""
    terms = _known_actors().get(key(name))
    if not terms:
        return None
    current = next((term for term in terms if day is not None and term.start <= day < term.end), None)
    if current is not None:
        return current
    if terms[0].type != "PER":
        return terms[0]
    countries = {term.role.country for term in terms if len(term.role.country or "") == 3 and not _is_body(term)}
    only = countries.pop() if len(countries) == 1 else None
    return terms[0]._replace(role=Role(only))


def names_of(name: str) -> frozenset[str]:
    """Return the keys of all names that the table has for a well-known actor."""
    return _names_by_actor().get(name, frozenset())


def participant(
    article: Article, span: Span, mentions: Sequence[Mention], entities: Mapping[str, Entity]
) -> Participant:
    """Return an actor or recipient with what its own words, or the entity named in it, tell of it.

    `porte-parole de l'Otan` has the Otan's country and sectors but is not the Otan; `alliés de l'Ukraine` are
    not Ukraine at all.
    """
    text = article.text[span.start : span.end]
    mention = _named_in(span, mentions)
    entity = entities[mention.entity_id or ""] if mention else None
    itself = entity if mention and _is_head(article, span, mention) else None
    lent = entity if itself or not _OTHERS.match(text) else None
    role = _role_of(text, lent)
    return Participant(
        start=span.start,
        end=span.end,
        text=text,
        entity_id=itself.entity_id if itself else None,
        name=itself.name if itself else None,
        country=role.country,
        sectors=role.sectors,
    )


def _role_of(text: str, entity: Entity | None) -> Role:
    own = Role() if _OTHERS.match(text) else role_in(text)
    seat = capital_of(text)
    if entity is not None and entity.type == "LOC":
        # A country or capital that acts is its government; `Bruxelles`, the European Union's.
        state = country_named(text)
        is_state = state is not None or seat is not None
        country = own.country or seat or (state.country if state else entity.country)
        return Role(country, own.sectors or (("GOV",) if is_state else ()))
    # `les talibans`, `Facebook`: known bodies that the model takes for no organisation.
    body = known_actor(text, None) if text in _spellings() else None
    known = body.role if body is not None and body.type == "ORG" else Role()
    country = own.country or (entity.country if entity else None) or known.country or seat
    heads = entity is not None and entity.type == "ORG" and _PRESIDENT.match(text) is not None
    if entity is not None and heads and own.sectors == ("GOV",):
        # `présidente de la SNCF`: of a body, not of a state.
        return Role(country, entity.sectors or own.sectors)
    return Role(country, own.sectors or (entity.sectors if entity else ()) or known.sectors)


def _named_in(span: Span, mentions: Sequence[Mention]) -> Mention | None:
    """Return the name a participant holds: a person's before an organisation's, that before a place's."""
    inside = (each for each in mentions if each.entity_id and each.start < span.end and span.start < each.end)
    order = {"PER": 0, "ORG": 1, "LOC": 2}
    return min(inside, key=lambda each: order.get(each.type, 3), default=None)


def _is_head(article: Article, span: Span, mention: Mention) -> bool:
    """Tell whether the participant is what is named, and not somebody or something of it."""
    return mention.type == "PER" or _OF.search(article.text, span.start, max(span.start, mention.start)) is None


def country_of_words(text: str) -> str | None:
    for word in _WORD.findall(text.replace("’", "'")):
        country = _demonyms().get(word.casefold().removeprefix("l'").removeprefix("d'"))
        if country is not None:
            return country
    for match in _COUNTRY_IN_TEXT.finditer(text):
        named = country_named(match[1])
        if named is not None:
            return named.country
    return None


def _is_body(term: KnownActor) -> bool:
    return term.role.country in {"IGO", "UNO", "EUR", "NGO", "ISM", "IMG", "MNC"}


@cache
def _names_by_actor() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for alias, terms in _known_actors().items():
        for term in terms:
            found.setdefault(term.name, set()).add(alias)
    return {name: frozenset(aliases) for name, aliases in found.items()}


@cache
def _spellings() -> frozenset[str]:
    """Return all names of the table as they are written: `les républicains` are not `Les Républicains`."""
    found = ((name, *aliases.split("|")) for name, aliases, *_ in tables.rows("actors.tsv", 7))
    return frozenset(each for names in found for each in names)


@cache
def _demonyms() -> dict[str, str]:
    found = {}
    for country, masculine, feminine in tables.rows("demonyms.tsv", 3):
        for form in (masculine, feminine):
            found[form] = country
            found[form if form[-1] in "sx" else f"{form}s"] = country
    return found


@cache
def _sector_patterns() -> tuple[tuple[re.Pattern[str], tuple[str, ...], str | None], ...]:
    return tuple(
        (re.compile(rf"(?<!\w)(?:{folded(pattern)})"), tuple(codes.split()), country or None)
        for pattern, codes, country in tables.rows("sectors.tsv", 3)
    )


@cache
def _known_actors() -> dict[str, tuple[KnownActor, ...]]:
    found: dict[str, tuple[KnownActor, ...]] = {}
    for name, aliases, type_, country, sectors, start, end in tables.rows("actors.tsv", 7):
        actor = KnownActor(
            name,
            type_,
            Role(country or None, tuple(sectors.split())),
            date.fromisoformat(start) if start else date.min,
            date.fromisoformat(end) if end else date.max,
        )
        for each in (name, *filter(None, aliases.split("|"))):
            found[key(each)] = (*found.get(key(each), ()), actor)
    return found
