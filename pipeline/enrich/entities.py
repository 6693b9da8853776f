"""Entities: which mentions of an article mean the same person, body or place, and what is known of each.

`M. Stoltenberg` and `Stoltenberg` are the Jens Stoltenberg named elsewhere in the article; `Onu` is `ONU`;
`Kyiv` is `Kiev`, by its GeoNames id. Two people of one surname are never merged: an ambiguous surname goes
to the one named last before it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from msgspec.structs import replace

from pipeline.enrich.actors import KnownActor, Role, country_of_words, known_actor, names_of, role_in
from pipeline.enrich.gazetteer import key
from pipeline.enrich.places import KnownPlace, Mentioned, capital_of, country_named, region_named, resolve
from pipeline.events import Article, Entity, Mention
from pipeline.identity import event_id

REFERRING = frozenset({"PER", "ORG", "LOC", "EVENT", "PRODUCT"})
_HONORIFIC = re.compile(
    r"^(?:MM?\.|Mme|Mmes|Mlle|Dr|Pr|Me|Mgr|Sir|Lord|Lady|Monsieur|Madame|[Ll]e|[Ll]a"
    r"|(?:(?:vice-)?[Pp]résidente?|[Gg]énéral|[Cc]olonel|[Mm]inistre|[Rr]oi|[Rr]eine|[Pp]rince|[Pp]ape"
    r"|[Cc]hancelière?))\s+"
)
_WORD = re.compile(r"\w[\w'’-]*")
_ACRONYM = re.compile(r"\s\(\s?$")
# How far to the left of a name its title may stand: `le ministre ukrainien de la Défense Oleksiï Reznikov`.
_TITLE_REACH = 70
_CLAUSE_END = re.compile(r"[.;:!?()«»\"\n,]")
_CONNECTORS = frozenset({"de", "du", "des", "la", "le", "les", "à", "au", "aux"})
_RANKS = frozenset(("ancien", "ancienne", "nouveau", "nouvelle", "premier", "première", "secrétaire", "chef", "cheffe"))


class _Referent(NamedTuple):
    """One person, body or place, under construction: the key it is known by, and where it is named."""

    key: tuple[str, str]
    mentions: list[int]


def link(article: Article, mentions: Sequence[Mention], day: date | None) -> tuple[list[Mention], dict[str, Entity]]:
    """Return the mentions with their `entity_id`, and the entities by id, in order of first mention."""
    mentions = [_body_not_place(each) for each in mentions]
    countries = _countries_mentioned(article, mentions)
    places = {m.text: resolve(m.text, mentioned=countries) for m in mentions if m.type == "LOC"}
    referents = _referents(article, mentions, places)
    linked = list(mentions)
    entities: dict[str, Entity] = {}
    for referent in referents:
        named = [mentions[at] for at in referent.mentions]
        entity = _entity(article, referent, named, places, day)
        entities[entity.entity_id] = entity
        for at in referent.mentions:
            linked[at] = replace(mentions[at], entity_id=entity.entity_id)
    return linked, entities


def _body_not_place(mention: Mention) -> Mention:
    """Return the mention as of an organisation where the model took a well-known one, such as Otan, for a place."""
    known = known_actor(mention.text, None) if mention.type == "LOC" else None
    return replace(mention, type="ORG") if known and known.type == "ORG" else mention


def _countries_mentioned(article: Article, mentions: Sequence[Mention]) -> Mentioned:
    named = (country_named(each.text) or region_named(each.text) for each in mentions if each.type in ("LOC", "ORG"))
    spoken_of = {country_of_words(word[0]) for word in _WORD.finditer(article.text)}
    # Nearly all news calls somebody American: that says nothing of where it plays.
    return Mentioned({p.country for p in named if p and p.country}, {*filter(None, spoken_of)} - {"USA"})


def _referents(article: Article, mentions: Sequence[Mention], places: dict[str, KnownPlace | None]) -> list[_Referent]:
    full_names = _full_names(mentions)
    bodies = {_key(each, places): _body_names(each) for each in mentions if each.type == "ORG"}
    found: dict[tuple[str, str], _Referent] = {}
    for at, mention in enumerate(mentions):
        if mention.type not in REFERRING:
            continue
        person = mention.type == "PER"
        own = ("PER", _full_name_of(mention, full_names)) if person else _body_of(mention, bodies, places)
        before = mentions[at - 1] if at else None
        if before is not None and before.type == mention.type == "ORG" and _is_acronym(article, before, mention):
            # `Agence internationale de l'énergie atomique (AIEA)`: the acronym means that body from here on.
            found[own] = next(each for each in found.values() if at - 1 in each.mentions)
        found.setdefault(own, _Referent(own, [])).mentions.append(at)
    return list({id(each): each for each in found.values()}.values())


def _key(mention: Mention, places: dict[str, KnownPlace | None]) -> tuple[str, str]:
    place = places.get(mention.text) or (country_named(mention.text) if mention.type == "ORG" else None)
    if place is not None and place.geonames_id is not None:
        return "PLACE", str(place.geonames_id)
    known = known_actor(mention.text, None)
    return "NAME", key(known.name if known and known.type != "PER" else mention.text)


def _body_names(mention: Mention) -> frozenset[str]:
    known = known_actor(mention.text, None)
    return names_of(known.name) if known and known.type == "ORG" else frozenset({key(mention.text)})


def _body_of(
    mention: Mention, bodies: Mapping[tuple[str, str], frozenset[str]], places: dict[str, KnownPlace | None]
) -> tuple[str, str]:
    """Return the key of a body or place; `l'Alliance` is the Alliance atlantique named, if only one fits."""
    short = key(mention.text)
    if mention.type == "ORG" and " " not in short and known_actor(mention.text, None) is None:
        fits = [own for own, names in bodies.items() if any(name.startswith(f"{short} ") for name in names)]
        if len(fits) == 1:
            return fits[0]
    return _key(mention, places)


def _is_acronym(article: Article, name: Mention, mention: Mention) -> bool:
    between = article.text[name.end : mention.start]
    letters = mention.text.replace(".", "")
    return bool(_ACRONYM.fullmatch(between)) and 2 <= len(letters) <= 8 and len(name.text) > len(letters) + 3


def _bare(name: str) -> str:
    """Return a person's name without honorifics and titles in front of it."""
    while (shorter := _HONORIFIC.sub("", name, count=1)) != name:
        name = shorter
    return name


def _full_names(mentions: Sequence[Mention]) -> list[tuple[int, str]]:
    """Return position and key of every name of a person that has more than one word."""
    bare = ((each.start, key(_bare(each.text))) for each in mentions if each.type == "PER")
    return [(start, name) for start, name in bare if " " in name]


def _full_name_of(mention: Mention, full_names: Sequence[tuple[int, str]]) -> str:
    """Return the key of the full name a mention stands for: the last one before it, else the first after."""
    short = key(_bare(mention.text))
    if " " in short:
        return short
    fits = [(start, name) for start, name in full_names if name.endswith(f" {short}")]
    before = [name for start, name in fits if start < mention.start]
    if before:
        return before[-1]
    return fits[0][1] if fits else short


def _entity(
    article: Article,
    referent: _Referent,
    named: Sequence[Mention],
    places: dict[str, KnownPlace | None],
    day: date | None,
) -> Entity:
    type_ = Counter(each.type for each in named).most_common(1)[0][0]
    names = [_bare(each.text) if type_ == "PER" else each.text for each in named]
    name = max(names, key=len) if type_ == "PER" else Counter(names).most_common(1)[0][0]
    # `Mme Trump` of an article on Melania Trump is not the president.
    candidates = (name,) if type_ == "PER" and " " in name else dict.fromkeys((name, *names))
    known = next(filter(None, (known_actor(each, day) for each in candidates)), None)
    known = known if known and known.type == type_ else None
    place = next(filter(None, (places.get(each.text) or country_named(each.text) for each in named)), None)
    role = _role(article, named, type_, known)
    at_place = place if place and type_ in ("LOC", "ORG") else None
    return Entity(
        entity_id=event_id("entity", article.article_id, *referent.key),
        type=type_,
        name=known.name if known else name,
        country=role.country or (at_place.country if at_place else capital_of(name) if type_ == "LOC" else None),
        sectors=role.sectors,
        geonames_id=at_place.geonames_id if at_place else None,
        lat=at_place.lat if at_place else None,
        lon=at_place.lon if at_place else None,
    )


def _role(article: Article, named: Sequence[Mention], type_: str, known: KnownActor | None) -> Role:
    """Return country and sectors: the table's first, then what the words in and before a name say."""
    own = known.role if known else Role()
    if type_ == "ORG":
        own = _filled(own, role_in(named[0].text))
    elif type_ == "PER":
        for mention in named:
            own = _filled(own, role_in(_title_before(article, mention) + mention.text))
    return own


def _title_before(article: Article, mention: Mention) -> str:
    """Return the title that leads up to a person's name, `ministre danois de la Défense`, without any verb."""
    left = article.text[max(0, mention.start - _TITLE_REACH) : mention.start]
    if not left.endswith((" ", "\u00a0", ", ")):
        return ""
    words = _CLAUSE_END.split(left.rstrip(", "))[-1].split()
    first = len(words)
    while first and _belongs_to_title(words[first - 1], words[first - 2] if first > 1 else ""):
        first -= 1
    return " ".join([*words[first:], ""])


def _belongs_to_title(word: str, before: str) -> bool:
    """Tell whether a word can stand in a title: a rank, demonym or name, or what a preposition brings in."""
    lower = word.casefold()
    return (
        lower in _CONNECTORS
        or before.casefold() in _CONNECTORS
        or "'" in lower.replace("’", "'")
        or word[:1].isupper()
        or lower in _RANKS
        or role_in(word) != Role()
    )


def _filled(role: Role, other: Role) -> Role:
    return Role(role.country or other.country, role.sectors or other.sectors)
