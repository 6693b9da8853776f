"""The sources a deployment declares, in one YAML file a person can read.

    sources:
      - name: fil-depeche
        kind: feed
        url: ${DEPECHE_FEED_URL}/feed.xml
      - name: agence-textes
        kind: text
        path: articles/*.txt          # relative to this file
"""

from collections.abc import Collection, Mapping
from string import Template
from typing import Any

import msgspec
import yaml

from pipeline.errors import Misconfigured


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One declared source. `path` is for files, `url` for what is fetched; exactly one of them is set."""

    name: str
    kind: str
    path: str | None = None
    url: str | None = None
    pages: int = 5
    """A paged feed is followed through `rel=next` for at most this many pages."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sources: list[Source]


def read_catalogue(text: str, *, where: str, variables: Mapping[str, str], kinds: Collection[str]) -> list[Source]:
    """Return the declared sources. Raises `Misconfigured` naming the file, the source and what is wrong."""
    try:
        parsed: Any = yaml.safe_load(Template(text).substitute(variables))
        sources = msgspec.convert(parsed, _File).sources
    except yaml.YAMLError as error:
        raise Misconfigured(f"{where} is no YAML: {error}".replace("\n", " ")) from error
    except KeyError as error:
        known = ", ".join(sorted(variables))
        raise Misconfigured(f"{where} uses the variable {error}, which is not known; known are {known}") from error
    except (msgspec.ValidationError, ValueError) as error:
        raise Misconfigured(f"{where}: {error}; see docs/sources.md for the fields of a source") from error
    seen: set[str] = set()
    for source in sources:
        _check(source, where, kinds, seen)
        seen.add(source.name)
    return sources


def _check(source: Source, where: str, kinds: Collection[str], seen: Collection[str]) -> None:
    at = f"{where}, source {source.name!r}"
    if not source.name or not all(c.isalnum() or c in "-_." for c in source.name):
        raise Misconfigured(f"{at}: a name is made of letters, digits, - _ and .")
    if source.name in seen:
        raise Misconfigured(f"{at}: this name is taken by another source; give each its own")
    if source.kind not in kinds:
        raise Misconfigured(f"{at}: kind {source.kind!r} is unknown; known are {', '.join(sorted(kinds))}")
    if (source.path is None) == (source.url is None):
        raise Misconfigured(f"{at}: set either path (files) or url (a feed)")
    if source.kind == "feed" and source.url is None:
        raise Misconfigured(f"{at}: a feed needs its url")
    if source.kind != "feed" and source.path is None:
        raise Misconfigured(f"{at}: {source.kind} needs the path of its files")
    if source.path is not None and (source.path.startswith("/") or ".." in source.path.split("/")):
        raise Misconfigured(f"{at}: path must lie below the folder of this file")
