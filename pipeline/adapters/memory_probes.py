"""Memory twins of the probes; each can be told in which way the store or broker behind it breaks its word."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pipeline.adapters.memory_store import MemoryStore
from pipeline.ports import Answer, TopicFacts


class MemoryStoreProbe:
    """`StoreProbe` over a `MemoryStore`. `lies` names what the store does not keep: `if_match`, `parts` (conditions
    of a multipart upload), `checksums` (looks at none), `sha256` (does not know them), `delete`."""

    def __init__(self, store: MemoryStore, lies: Sequence[str] = (), now: datetime | None = None) -> None:
        self._store, self._lies = store, lies
        self._at = now or datetime(2026, 1, 1, tzinfo=UTC)

    def put(self, key: str, data: bytes, *, only_if: str | None = None, sha256: bytes | None = None) -> Answer:
        """See `StoreProbe.put`."""
        found = self._store.head(key)
        if only_if is not None and "if_match" not in self._lies and (found is None or found[0].etag != only_if):
            return "refused"
        if sha256 is not None and "sha256" in self._lies:
            return "unknown"
        if sha256 is not None and "checksums" not in self._lies and hashlib.sha256(data).digest() != sha256:
            return "refused"
        self._store.objects[key] = (data, {}, self._at)
        return "stored"

    def put_in_parts(self, key: str, data: bytes) -> Answer:
        """See `StoreProbe.put_in_parts`."""
        if "parts" in self._lies:
            self._store.objects[key] = (data, {}, self._at)
            return "stored"
        return "stored" if self._store.create(key, data) else "refused"

    def delete(self, key: str) -> bool:
        """See `StoreProbe.delete`."""
        if "delete" in self._lies:
            return False
        self._store.objects.pop(key, None)
        return True

    def now(self) -> datetime:
        """See `StoreProbe.now`."""
        return self._at


class MemoryBrokerProbe:
    """`BrokerProbe` that says what it was given."""

    def __init__(
        self,
        topics: Mapping[str, TopicFacts],
        settings: Mapping[str, str],
        *,
        brokers: tuple[int, int] = (1, 2),
        ahead: float = 0.0,
    ) -> None:
        self._topics, self._settings, self._brokers, self._ahead = topics, settings, brokers, ahead

    def brokers(self) -> tuple[int, int]:
        """See `BrokerProbe.brokers`."""
        return self._brokers

    def topics(self, names: Sequence[str]) -> dict[str, TopicFacts]:
        """See `BrokerProbe.topics`."""
        return {name: self._topics[name] for name in names if name in self._topics}

    def settings(self) -> Mapping[str, str]:
        """See `BrokerProbe.settings`."""
        return self._settings

    def ahead(self) -> float:
        """See `BrokerProbe.ahead`."""
        return self._ahead
