"""The files a source's path names, and what is in them."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pipeline.errors import RetryLater
from pipeline.fetch.catalogue import Source
from pipeline.fetch.haul import Context
from pipeline.ports import ObjectInfo


def matching(source: Source, context: Context) -> Iterator[ObjectInfo]:
    """Yield the files the source's path names, in order. Raises `RetryLater` when there are none."""
    pattern = source.path or ""
    fixed = pattern.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    prefix = fixed[: fixed.rfind("/") + 1]
    found = False
    for info in context.files.list(prefix):
        if fnmatchcase(info.key, pattern):
            found = True
            yield info
    if not found:
        # A folder that is not there looks like an empty one, and must not make us forget what we have read.
        raise RetryLater(f"{pattern} names no file")


def contents(info: ObjectInfo, context: Context, length: int | None = None) -> bytes | None:
    """Return the file's bytes, or the first `length`; None when it was taken away since it was listed."""
    try:
        return context.files.get(info.key, length)
    except KeyError:
        return None
