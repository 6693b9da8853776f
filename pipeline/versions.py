"""Versions of what was read out of the articles, and the pointer that says which one readers use.

    log/… data/…                            the live line's own segments: the version called `live`
    versions/<name>/log/… data/…            a version's segments; the keys in their manifests are relative to its folder
    cards/<name>.json                       what made the version: code, model
    current/<generation, 20 digits>.json    the pointer: the highest generation counts

The pointer is moved by creating the next generation only if it is absent (`If-None-Match: *`): of two who
move it at once exactly one wins. Nothing is ever overwritten, so every switch there was can be read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from pipeline.errors import DepecheError, Misconfigured
from pipeline.ports import ModelInfo, ObjectInfo, ObjectStore, Warehouse

LIVE = "live"
"""The version that the streaming workers write."""

VERSIONS = "versions/"
CARDS = "cards/"
CURRENT = "current/"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a version, written before its first segment and never changed."""

    version: str
    code_version: str
    model: ModelInfo
    created_at: datetime


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Which version readers use, and which one they used before."""

    generation: int = 0
    version: str = LIVE
    previous: str = LIVE
    at: datetime | None = None


class Within:
    """`ObjectStore` over what lies below `root` in another one; names are relative to it."""

    def __init__(self, store: ObjectStore, root: str) -> None:
        self._store = store
        self._root = root

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        """See `ObjectStore.create`."""
        return self._store.create(self._root + key, data, metadata)

    def get(self, key: str, length: int | None = None) -> bytes:
        """See `ObjectStore.get`."""
        return self._store.get(self._root + key, length)

    def head(self, key: str) -> tuple[ObjectInfo, dict[str, str]] | None:
        """See `ObjectStore.head`."""
        found = self._store.head(self._root + key)
        return None if found is None else (found[0]._replace(key=key), found[1])

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        behind = self._root + after if after else ""
        for info in self._store.list(self._root + prefix, behind):
            yield info._replace(key=info.key.removeprefix(self._root))


class TablesWithin:
    """`Warehouse` whose segments have the names they have within a version; for reading only."""

    def __init__(self, tables: Warehouse, root: str) -> None:
        self._tables = tables
        self._root = root

    def loaded(self) -> set[str]:
        """See `Warehouse.loaded`."""
        return {key.removeprefix(self._root) for key in self._tables.loaded()}

    def load(self, manifest: str, tables: object) -> bool:
        """Raise TypeError: this is a view, and a segment is loaded under its full name."""
        del tables
        raise TypeError(f"{manifest} cannot be loaded through a view of one version")

    def query(self, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
        """See `Warehouse.query`."""
        return self._tables.query(sql)

    def close(self) -> None:
        """See `Warehouse.close`."""
        self._tables.close()


def root_of(version: str) -> str:
    """Return what the keys of a version begin with; nothing for the live line's. Raises `Misconfigured`."""
    if version == LIVE:
        return ""
    if not _NAME.fullmatch(version):
        raise Misconfigured(f"{version!r} is no name of a version: a-z, 0-9, dot, dash and underscore, 63 at most")
    return f"{VERSIONS}{version}/"


def view(store: ObjectStore, version: str) -> ObjectStore:
    """Return the store as readers of this version see it: its manifests under `log/`, its files under `data/`."""
    return Within(store, root) if (root := root_of(version)) else store


def version_of(key: str) -> str:
    """Return the version that a manifest's full key belongs to."""
    return key.removeprefix(VERSIONS).partition("/")[0] if key.startswith(VERSIONS) else LIVE


def held(loaded: Iterable[str]) -> str | None:
    """Return the version whose manifest keys these are, None where there are none.

    Raises `DepecheError` for keys of several: nothing of ours loads them side by side.
    """
    found = {version_of(key) for key in loaded}
    if len(found) > 1:
        raise DepecheError(f"the tables hold segments of several versions: {', '.join(sorted(found))}")
    return found.pop() if found else None


def cards(store: ObjectStore) -> dict[str, Card]:
    """Return what made each version but the live one."""
    names = [info.key.removeprefix(CARDS).removesuffix(".json") for info in store.list(CARDS)]
    return {name: card(store, name) for name in names}


def card(store: ObjectStore, version: str) -> Card:
    """Return what made a version. Raises `DepecheError` where there is none of this name."""
    try:
        return msgspec.json.decode(store.get(f"{CARDS}{version}.json"), type=Card)
    except KeyError as error:
        raise DepecheError(f"there is no version {version!r}; `depeche replay list` shows those there are") from error


def declare(store: ObjectStore, wanted: Card) -> Card:
    """Return the card of the version: `wanted`, or the one it has already."""
    if wanted.version == LIVE:
        raise Misconfigured(f"{LIVE!r} is what the streaming workers write; name the new version with --version")
    data = msgspec.json.format(msgspec.json.encode(wanted), indent=1)
    root_of(wanted.version)  # its name is one
    stored = store.create(f"{CARDS}{wanted.version}.json", data)
    return wanted if stored else card(store, wanted.version)


def current(store: ObjectStore) -> Pointer:
    """Return the pointer; before the first switch it is the live line."""
    last = None
    for last in store.list(CURRENT):  # noqa: B007 - the last one counts
        pass
    return Pointer() if last is None else msgspec.json.decode(store.get(last.key), type=Pointer)


def switch(store: ObjectStore, version: str, *, seen: Pointer, now: datetime) -> Pointer:
    """Point to `version`, if the pointer still is the one that was `seen`. Raises `DepecheError` if it is not."""
    moved = Pointer(generation=seen.generation + 1, version=version, previous=seen.version, at=now)
    if not store.create(f"{CURRENT}{moved.generation:020d}.json", msgspec.json.encode(moved)):
        winner = current(store)
        raise DepecheError(
            f"somebody else switched from {seen.version} to {winner.version} meanwhile, and yours was not done;"
            " look at `depeche replay list` before you try again"
        )
    return moved
