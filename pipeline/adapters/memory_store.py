"""The memory twin of an object store."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from pipeline.errors import RetryLater
from pipeline.ports import ObjectInfo


class MemoryStore:
    """`ObjectStore` in a dict; `down` makes it unreachable."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str], datetime]] = {}
        self.down = False
        self._now = now

    def _answer(self) -> None:
        if self.down:
            raise RetryLater("the store is down")

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        """See `ObjectStore.create`."""
        self._answer()
        made = (bytes(data), dict(metadata or {}), self._now())
        return self.objects.setdefault(key, made) is made

    def get(self, key: str, length: int | None = None) -> bytes:
        """See `ObjectStore.get`."""
        self._answer()
        return self.objects[key][0][:length]

    def head(self, key: str) -> tuple[ObjectInfo, dict[str, str]] | None:
        """See `ObjectStore.head`."""
        self._answer()
        if key not in self.objects:
            return None
        data, metadata, at = self.objects[key]
        return ObjectInfo(key, len(data), hashlib.md5(data).hexdigest(), at), dict(metadata)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        self._answer()
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                data, _, at = self.objects[key]
                yield ObjectInfo(key, len(data), hashlib.md5(data).hexdigest(), at)
