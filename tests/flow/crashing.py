"""A store whose worker dies at one of its writes."""

from collections.abc import Mapping

from pipeline.adapters.memory_store import MemoryStore


class Crash(BaseException):
    """The process dies here."""


class CrashingStore(MemoryStore):
    """Dies at its `at`-th create, before it took effect or just after."""

    def __init__(self, inner: MemoryStore, at: int, *, after: bool) -> None:
        super().__init__()
        self.objects = inner.objects
        self._left, self._after = at, after

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Crash
        stored = super().create(key, data, metadata)
        if self._left == 0:
            raise Crash
        return stored
