"""What a transaction coordinator notes for itself, as Kafka's TransactionLogValue.json (versions 0 and 1) has it."""

import struct
from typing import NamedTuple

from pipeline.ports import Partition

TOPIC = "__transaction_state"
PREPARE_COMMIT, PREPARE_ABORT = 2, 3
_HEAD = struct.Struct(">hqhib")
_LATEST = 1


class Note(NamedTuple):
    """The state of one producer's transaction, and the partitions that it is in."""

    producer_id: int
    producer_epoch: int
    state: int
    partitions: frozenset[Partition]


def read(value: bytes) -> Note | None:
    """Return what is noted; None where the note is of a version that came later, or cut short."""
    try:
        version, producer, epoch, _, state = _HEAD.unpack_from(value)
        if not 0 <= version <= _LATEST:
            return None
        return Note(producer, epoch, state, _Reader(value, _HEAD.size, compact=version > 0).partitions())
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


class _Reader:
    """Kafka's encoding of arrays and strings; version 1 has the compact one, with tags behind each element."""

    def __init__(self, value: bytes, at: int, *, compact: bool) -> None:
        self._value, self._at, self._compact = value, at, compact

    def partitions(self) -> frozenset[Partition]:
        out = set()
        for _ in range(self._length(">i")):
            size = self._length(">h")
            topic = self._value[self._at : self._at + size].decode()
            self._at += size
            out |= {Partition(topic, self._number(">i")) for _ in range(self._length(">i"))}
            if self._compact and self._varint():
                raise IndexError("a tag that is not known")
        return frozenset(out)

    def _length(self, plain: str) -> int:
        return max(self._varint() - 1 if self._compact else self._number(plain), 0)

    def _number(self, form: str) -> int:
        (number,) = struct.unpack_from(form, self._value, self._at)
        self._at += struct.calcsize(form)
        return int(number)

    def _varint(self) -> int:
        out = shift = 0
        while True:
            byte = self._value[self._at]
            self._at += 1
            out |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return out
