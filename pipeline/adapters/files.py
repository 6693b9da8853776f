"""A folder behind the port `ObjectStore`: names are paths below it, with `/` between their parts."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pipeline.errors import RetryLater
from pipeline.ports import ObjectInfo


class DirectoryStore:
    """`ObjectStore` over a folder. A name that would lead out of it is refused with ValueError.

    Metadata is not kept: a folder of files has nowhere to put it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root):
            raise ValueError(f"{key!r} leads out of {self._root}")
        return path

    def _inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._root)

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:  # noqa: ARG002
        """See `ObjectStore.create`."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        draft.write_bytes(data)
        try:
            os.link(draft, path)  # fails if the name is taken, and is never half written
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def get(self, key: str, length: int | None = None) -> bytes:
        """See `ObjectStore.get`."""
        try:
            with self._path(key).open("rb") as file:
                return file.read() if length is None else file.read(length)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise KeyError(key) from error
        except OSError as error:
            raise RetryLater(f"{key} cannot be read: {error.strerror}") from error

    def head(self, key: str) -> tuple[ObjectInfo, dict[str, str]] | None:
        """See `ObjectStore.head`."""
        path = self._path(key)
        info = self._info(path) if path.is_file() else None
        return None if info is None else (info, {})

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`. Outside the folder there is nothing."""
        folder = self._root / prefix.rpartition("/")[0]
        if not self._inside(folder):
            return
        found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".") and self._inside(p))
        infos = [info for path in found if (info := self._info(path)) is not None]
        for info in sorted(infos):
            if info.key.startswith(prefix) and info.key > after:
                yield info

    def _info(self, path: Path) -> ObjectInfo | None:
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None  # taken away since it was listed
        mark = hashlib.md5(f"{stat.st_size}:{stat.st_mtime_ns}".encode()).hexdigest()
        key = path.relative_to(self._root).as_posix()
        return ObjectInfo(key, stat.st_size, mark, datetime.fromtimestamp(stat.st_mtime, tz=UTC))
