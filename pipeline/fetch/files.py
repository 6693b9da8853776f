"""Which files a source's path names."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pipeline.fetch.catalogue import Source
from pipeline.fetch.haul import Context
from pipeline.ports import ObjectInfo


def matching(source: Source, context: Context) -> Iterator[ObjectInfo]:
    """Yield the files the source's path names, in order."""
    pattern = source.path or ""
    fixed = pattern.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    prefix = fixed[: fixed.rfind("/") + 1]
    return (info for info in context.files.list(prefix) if fnmatchcase(info.key, pattern))
