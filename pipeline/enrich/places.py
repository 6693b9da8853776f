"""Where a name is: country, region or town, with GeoNames id and coordinates where they are certain.

A country's French name is a country before it is a village; a region the tables know comes next; then towns,
the likeliest by population, by the countries the article speaks of, and by being in France. A small place is
taken only where something else points to its country. What stays doubtful is not resolved.
"""

import math
import re
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Literal, NamedTuple

from babel import Locale

from pipeline.enrich import tables
from pipeline.enrich.gazetteer import Town, countries, folded, key, large_towns, small_towns

# Weights against log10(population), by hand: a mention of its country outweighs being a hundred times larger.
_COUNTRY_MENTIONED = 2.0
_DEMONYM_MENTIONED = 1.6
_IN_FRANCE = 0.7
_OWN_NAME = 0.5
_SEAT = 3.0
# A small place that has a namesake must be at least this much larger than it.
_CLEARLY_LARGER = 4.0
_WORLD_KNOWN = 150_000
# Name in front of a town that makes it an administrative area: its country is the town's, its point is not.
_AREA = re.compile(
    r"^(?:(?:l['’]|la |le )?(?:oblast|région|province|département|district|gouvernorat|État|canton|comté"
    r"|wilaya|raïon|banlieue|périphérie|arrondissement)) (?:de la |de l['’]|du |des |de |d['’])(?P<town>.+)$",
    re.IGNORECASE,
)

# The country of the story: `le nord du pays`.
_HERE = re.compile(r"(?:(?:nord|sud|est|ouest|centre|reste|ensemble)(?:-est|-ouest)? du )?pays", re.IGNORECASE)
# Seas, borders, parts of the world, and what is nowhere.
_WIDE = re.compile(
    r"\bpays\b|frontière|frontali|(?<!front de )(?<!sur-)\bmers?\b|océan|\bgolfe\b|détroit|méditerranée|atlantique"
    r"|pacifique|\bmanche\b|\bsahel\b|sahara|\bmaghreb\b|\beurop|\bafrique|\basie|\bamériques?\b|\borient\b|occident|balkans|caucase"
    r"|antarcti|arctique|\balpes|himalaya|danube|lac tchad|continent|(?<!du )\bmonde\b|mondia|planète"
    r"|(?<!aéroport )internationa|(?<!affaires )étrang|espace aérien|\bzone (?:euro|tampon)|union européenne|internet"
    r"|réseaux sociaux",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"frontière|frontali|\blarge d", re.IGNORECASE)
_CALLED = re.compile(
    r"(?:rue|avenue|boulevard|place|quai|cour|rond-point|square|pont) (?:de la |de l['’]|du |des |de |d['’])",
    re.IGNORECASE,
)
_MISSION = re.compile(r"\b(?:ambassade|consulat)", re.IGNORECASE)
_ABROAD = re.compile(r"ambassad|consula|\bbases?\b", re.IGNORECASE)


class KnownPlace(NamedTuple):
    """A place that was recognised; `country` is ISO 3166 alpha-3, None for a continent or a sea."""

    kind: Literal["country", "region", "town"]
    name: str
    country: str | None
    geonames_id: int | None = None
    lat: float | None = None
    lon: float | None = None


def country_named(name: str) -> KnownPlace | None:
    """Return the country that `name` is in French, or None."""
    return _country_names().get(key(name))


class Mentioned(NamedTuple):
    """The countries (alpha-3) an article speaks of, by their names and by demonyms: `l'armée malienne`."""

    by_name: AbstractSet[str] = frozenset()
    by_demonym: AbstractSet[str] = frozenset()

    def weight(self, country: str | None) -> float:
        """Return what its mention adds to the likelihood of a town."""
        if country in self.by_name:
            return _COUNTRY_MENTIONED
        return _DEMONYM_MENTIONED if country in self.by_demonym else 0.0


def resolve(name: str, *, mentioned: Mentioned = Mentioned()) -> KnownPlace | None:  # noqa: B008 - a constant
    """Return the place called `name` in an article that speaks of these countries."""
    known = country_named(name) or region_named(name)
    if known is not None:
        return known
    town = _best_town(name, mentioned)
    if town is not None:
        return KnownPlace("town", name, _alpha3(town.countrycode), town.geonameid, town.latitude, town.longitude)
    area = _AREA.match(name)
    if area is not None:
        inside = resolve(area["town"], mentioned=mentioned)
        return inside and KnownPlace("region", name, inside.country)
    return None


def region_named(name: str) -> KnownPlace | None:
    """Return the region, sea or site that the tables have by this name, or None."""
    return _regions().get(key(name))


def capital_of(name: str) -> str | None:
    """Return the country (alpha-3) whose capital or seat of government `name` is, in French, or None."""
    return _capitals().get(key(name))


def lies_in_one_country(words: str) -> bool:
    """Tell whether a place may be looked for in one country: no sea, border or part of the world is."""
    if _HERE.fullmatch(words):
        return True
    known = resolve(words)
    return _WIDE.search(words) is None and (known is None or known.country is not None)


def lies_between(words: str) -> bool:
    """Tell whether a place is named by a country it does not lie in: `au large de la Libye`, `la frontière turque`."""
    return _BETWEEN.search(words) is not None


def called_after(words: str, name: str) -> bool:
    """Tell whether a place only has its name from one that it does not lie in: `rue de Rivoli`, `large de la Libye`,
    `ambassade de Taïwan`."""
    before, _, _ = words.partition(name)
    mission = _MISSION.search(before) is not None and country_named(name) is not None
    return mission or lies_between(before) or _CALLED.fullmatch(before) is not None


def may_stand_abroad(words: str) -> bool:
    """Tell whether a place is one of a country in another: `ambassade d'Israël`, `base américaine`."""
    return _ABROAD.search(words) is not None


def _best_town(name: str, mentioned: Mentioned) -> Town | None:
    if not any(map(str.isupper, name)):
        return None
    large = _likeliest(name, mentioned)
    if large is not None and _stands_out(large, mentioned):
        return large
    near = [
        town for town in small_towns(name) if town.countrycode == "FR" or mentioned.weight(_alpha3(town.countrycode))
    ]
    near.sort(key=lambda town: _likelihood(town, name, mentioned), reverse=True)
    doubtful = len(near) > 1 and near[0].population < _CLEARLY_LARGER * near[1].population
    if near:
        return None if doubtful else near[0]
    if large is None:
        return _spelt_otherwise(name, mentioned)
    # `rue de Rivoli` in a story from Paris is not in Italy.
    return None if mentioned.by_name else large


def _likeliest(name: str, mentioned: Mentioned) -> Town | None:
    """Return the likeliest of the large towns; a capital is no other town than one known to the world, in a country
    the article names where it does not name the capital's: `Tripoli` in a story of Lebanon."""
    towns = large_towns(name)
    named = [
        town for town in towns if town.population >= _WORLD_KNOWN and _alpha3(town.countrycode) in mentioned.by_name
    ]
    seat = capital_of(name)
    candidates = named if named and seat is not None and not mentioned.weight(seat) else towns
    return max(candidates, key=lambda town: _likelihood(town, name, mentioned), default=None)


def _spelt_otherwise(name: str, mentioned: Mentioned) -> Town | None:
    """Return the large town that the gazetteer has without the accents or hyphens: `El-Obeid`, `Kobané`."""
    for other in (name.replace("-", " "), folded(name), folded(name).replace("-", " ")):
        found = _likeliest(other, mentioned)
        if found is not None and _stands_out(found, mentioned):
            return found
    return None


def _stands_out(town: Town, mentioned: Mentioned) -> bool:
    """Tell whether no small namesake is meant: a town abroad may be less known than a French hamlet."""
    return (
        town.countrycode == "FR" or town.population >= _WORLD_KNOWN or mentioned.weight(_alpha3(town.countrycode)) > 0
    )


def _likelihood(town: Town, name: str, mentioned: Mentioned) -> float:
    return (
        math.log10(town.population + 1)
        + mentioned.weight(_alpha3(town.countrycode))
        + _IN_FRANCE * (town.countrycode == "FR")
        + _OWN_NAME * (town.name == name)
        + _SEAT * (capital_of(name) == _alpha3(town.countrycode))
    )


def _alpha3(alpha2: str) -> str | None:
    country = countries().get(alpha2)
    return country.iso3 if country else None


@cache
def _country_names() -> dict[str, KnownPlace]:
    french = Locale("fr").territories
    named = {}
    by_alpha3 = {}
    for alpha2, country in countries().items():
        name = french.get(alpha2)
        if name is not None:
            by_alpha3[country.iso3] = KnownPlace("country", name, country.iso3, country.geonameid)
            named[key(name)] = by_alpha3[country.iso3]
    for name, alpha3 in tables.rows("countries.tsv", 2):
        named[key(name)] = by_alpha3[alpha3]
    return named


@cache
def _regions() -> dict[str, KnownPlace]:
    found: dict[str, KnownPlace] = {}
    for names, country, geonames_id, lat, lon in tables.rows("regions.tsv", 5):
        first, *others = names.split("|")
        place = KnownPlace(
            "region",
            first,
            country or None,
            int(geonames_id) if geonames_id else None,
            float(lat) if lat else None,
            float(lon) if lon else None,
        )
        found |= {key(name): place for name in (first, *others)}
    return found


@cache
def _capitals() -> dict[str, str]:
    return {key(name): country for name, country in tables.rows("seats.tsv", 2)}
