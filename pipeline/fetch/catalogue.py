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
from typing import Annotated, Any, Literal, Protocol

import msgspec
import yaml

from pipeline.errors import Misconfigured
from pipeline.identity import bare


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One declared source. `path` is for files, `url` for what is fetched; exactly one of them is set."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[\w.-]+\Z", max_length=100)]
    kind: str
    path: str | None = None
    """Name or pattern of files, relative to the file that declares the source."""
    url: str | None = None
    pages: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    """A paged feed is followed through `rel=next` for at most this many pages."""
    max_items: Annotated[int, msgspec.Meta(ge=1)] = 500
    """Pages asked for in one pull of a feed; what is over waits for the next pull."""
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    """Between two requests to one host, if not what the deployment sets; its robots.txt may ask for more."""
    allow_private: bool = False
    """Whether addresses of the own network, such as loopback, may be fetched."""


class Needs(Protocol):
    """What the catalogue wants to know of a kind of source: which of the two locations it reads."""

    @property
    def needs(self) -> Literal["path", "url"]: ...


def read_catalogue(text: str, *, where: str, variables: Mapping[str, str], kinds: Mapping[str, Needs]) -> list[Source]:
    """Return the declared sources, `${VARIABLE}`s filled in from `variables`.

    Raises `Misconfigured` naming the file (`where`), the source, the field and what is wrong with it.
    """
    try:
        parsed: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Misconfigured(f"{where} is no YAML: {error}".replace("\n", " ")) from error
    if not isinstance(parsed, dict) or set(parsed) != {"sources"} or not isinstance(parsed["sources"], list):
        raise Misconfigured(f"{where}: it must hold one key, `sources`, with a list of sources")
    sources: list[Source] = []
    for number, fields in enumerate(parsed["sources"], 1):
        name = fields.get("name") if isinstance(fields, dict) else None
        at = f"{where}, source {name!r}" if isinstance(name, str) else f"{where}, source number {number}"
        sources.append(_source(fields, at, variables))
        _check(sources[-1], at, kinds, {source.name for source in sources[:-1]})
    return sources


def _source(fields: Any, at: str, variables: Mapping[str, str]) -> Source:
    try:
        return msgspec.convert(_filled(fields, variables), Source)
    except KeyError as error:
        known = ", ".join(sorted(variables)) or "none"
        raise Misconfigured(f"{at}: the variable {error} is not known; known are: {known}") from error
    except msgspec.ValidationError as error:
        allowed = ", ".join(Source.__struct_fields__)
        raise Misconfigured(f"{at}: {error}; the fields of a source are {allowed}") from error
    except ValueError as error:
        raise Misconfigured(f"{at}: {error}") from error


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, variables) for key, each in value.items()}
    if not isinstance(value, str):
        return value
    template = Template(value)
    if not template.is_valid():
        raise ValueError(f"in {value!r} a `$` begins no `${{NAME}}`; write `$$` for the sign itself")
    return template.substitute(variables)


def _check(source: Source, at: str, kinds: Mapping[str, Needs], taken: Collection[str]) -> None:
    if source.name in taken:
        raise Misconfigured(f"{at}: the name is taken by another source; give each its own")
    kind = kinds.get(source.kind)
    if kind is None:
        raise Misconfigured(f"{at}: kind {source.kind!r} is unknown; known are {', '.join(sorted(kinds))}")
    spare = "url" if kind.needs == "path" else "path"
    if not getattr(source, kind.needs) or getattr(source, spare) is not None:
        raise Misconfigured(f"{at}: a source of kind {source.kind} needs `{kind.needs}`, and no `{spare}`")
    if source.path is not None and (source.path.startswith("/") or ".." in source.path.split("/")):
        raise Misconfigured(f"{at}: path {source.path!r} must lie below the folder of the file")
    if source.url is not None and not source.url.startswith(("http://", "https://")):
        raise Misconfigured(f"{at}: url {bare(source.url)!r} must begin with http:// or https://")
    if source.url is not None and bare(source.url) != source.url:
        raise Misconfigured(f"{at}: url must not hold a name or a password: it stands in events and logs")
