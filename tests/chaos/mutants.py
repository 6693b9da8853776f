"""Each commit step of the line left out or swapped: a simulation that lets one of them pass proves nothing."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from pipeline.archive import Archive
from pipeline.events import ArticleState
from pipeline.ports import Message, Partition, Record
from pipeline.transform import Transform
from tests.chaos.faults import FaultyLog
from tests.chaos.simulation import Simulation


class _ForgetsPositions(FaultyLog):
    """Step 3 of a transform without the new positions."""

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        super().commit(messages, {} if messages else positions)


class _ForgetsMessages(FaultyLog):
    """Step 3 of a transform without the outcomes."""

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        super().commit([], positions)


class _PositionsFirst(FaultyLog):
    """Step 3 of a transform in two: positions, then outcomes."""

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        super().commit([], positions)
        super().commit(messages, {})


class _OutcomesFirst(FaultyLog):
    """Step 3 of a transform in two: outcomes, then positions."""

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        super().commit(messages, {})
        super().commit([], positions)


class _RemembersNothing(Transform):
    """Step 4 of a transform left out."""

    def _count(self, done: Any) -> None:
        before = {number: dict(states) for number, states in self._states.items()}
        super()._count(done)
        self._states = before


class _ReadsNothingBack(Transform):
    """Assignment of a transform without what was remembered."""

    def _remembered(self, partition: Partition, start: int, end: int) -> dict[str, ArticleState]:
        return {}


class _RepeatsTheBatch(Transform):
    """A rewind to the batch whose answer did not come, whether its commit took effect or not."""

    _firsts: dict[Partition, int]

    def work(self, records: Sequence[Record]) -> None:
        self._firsts = {}
        for record in records:
            self._firsts.setdefault(Partition(record.topic, record.partition), record.offset)
        super().work(records)

    def rewind(self) -> None:
        super().rewind()
        self.log.seek(getattr(self, "_firsts", {}))


class _Writes:
    """An object store of which a mutant changes the writes and nothing else."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._late: list[tuple[str, bytes]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _WritesManifestFirst(_Writes):
    def create(self, key: str, data: bytes) -> bool:
        if not key.startswith("log/"):
            self._late.append((key, data))
            return True
        created: bool = self._store.create(key, data)
        for each in self._late:
            self._store.create(*each)
        return created


class _WritesManifestOnly(_Writes):
    def create(self, key: str, data: bytes) -> bool:
        return self._store.create(key, data) if key.startswith("log/") else True


class _OtherWrites(Archive):
    """An archive that flushes through a changed store."""

    writes: type[_Writes]

    def _flush(self, partition: Partition) -> None:
        store = self._store
        self._store = self.writes(store)  # type: ignore[assignment]
        try:
            super()._flush(partition)
        finally:
            self._store = store


class _ManifestFirst(_OtherWrites):
    """Steps 2 and 3 of an archive swapped."""

    writes = _WritesManifestFirst


class _NoFiles(_OtherWrites):
    """Step 2 of an archive left out."""

    writes = _WritesManifestOnly


class _NoManifest(Archive):
    """Step 3 of an archive left out."""

    def _flush(self, partition: Partition) -> None:
        if buffer := self._buffers.pop(partition, None):
            self._next[partition] = self._untold[partition] = buffer.records[-1].offset + 1


class _Overwrites(Archive):
    """Step 3 of an archive without its condition."""

    def _flush(self, partition: Partition) -> None:
        store = self._store

        class Careless:
            def create(self, key: str, data: bytes) -> bool:
                if key.startswith("log/"):
                    store._inner.objects.pop(key, None)  # type: ignore[attr-defined]
                return store.create(key, data)

            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

        self._store = Careless()  # type: ignore[assignment]
        try:
            super()._flush(partition)
        finally:
            self._store = store


class _TellsNobody(Archive):
    """Step 4 of an archive left out."""

    def _hint(self) -> None:
        self._untold = {}


class _TrustsTheGroup(Archive):
    """Assignment of an archive at the group's position instead of the chain's end."""

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        super().assigned(partitions)
        told = self.log._broker.positions(self.log._group)  # type: ignore[attr-defined]
        self._next |= {p: told.get(p, 0) for p in partitions}
        return {p: self._next[p] for p in partitions}


class _GoesOnAtItsOwnEnd(Archive):
    """A lost race, after which the loser does not go on at the winner's end."""

    def _yield_to_winner(self, partition: Partition, manifest_key: str, end: int) -> None:
        buffer = self._buffers.pop(partition)
        self._next[partition] = buffer.records[-1].offset + 1


class _HintsFirst(Archive):
    """Steps 3 and 4 of an archive swapped."""

    def _flush(self, partition: Partition) -> None:
        if buffer := self._buffers.get(partition):
            self._untold[partition] = buffer.records[-1].offset + 1
            self._hint()
        super()._flush(partition)


def _with(*, transform: Any = Transform, archive: Any = Archive, log: Any = FaultyLog) -> type[Simulation]:
    return type(f"Mutant{uuid4().hex[:6]}", (Simulation,), {"transform": transform, "archive": archive, "log": log})


MUTANTS = {
    "transform 3 without positions": _with(log=_ForgetsPositions),
    "transform 3 without outcomes": _with(log=_ForgetsMessages),
    "transform 3 in two, positions first": _with(log=_PositionsFirst),
    "transform 3 in two, outcomes first": _with(log=_OutcomesFirst),
    "transform 4 left out": _with(transform=_RemembersNothing),
    "transform assigned without its memory": _with(transform=_ReadsNothingBack),
    "transform repeats a batch that was committed unheard": _with(transform=_RepeatsTheBatch),
    "archive 2 left out": _with(archive=_NoFiles),
    "archive 2 and 3 swapped": _with(archive=_ManifestFirst),
    "archive 3 left out": _with(archive=_NoManifest),
    "archive 3 without its condition": _with(archive=_Overwrites),
    "archive 3 and 4 swapped": _with(archive=_HintsFirst),
    "archive 4 left out": _with(archive=_TellsNobody),
    "archive assigned at the group's position": _with(archive=_TrustsTheGroup),
    "archive loses a race and goes on at its own end": _with(archive=_GoesOnAtItsOwnEnd),
}
