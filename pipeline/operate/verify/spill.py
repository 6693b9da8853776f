"""Millions of rows grouped by key within fixed memory: a temporary file takes what does not fit.

Keys are 128-bit fingerprints. Rows are kept in runs ordered by the first 12 bits of their key, and read back
key range by key range, so a group is always whole. Memory: one run being filled and one range being read, each of
about `most` rows, whatever the number of rows up to 4096 × `most` = 10⁹; then it grows with their number / 4096.
"""

import tempfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors import Misconfigured

Rows = npt.NDArray[Any]
Keys = npt.NDArray[np.uint64]

_BITS = 12
_MOST = 2**18
_KEY = [("hi", "<u8"), ("lo", "<u8")]

# Odd multipliers and shifts of MurmurHash3's and SplitMix64's finalisers.
_A, _B = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_C, _D = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S29, _S31, _S33 = np.uint64(29), np.uint64(31), np.uint64(33)


def _mixed(x: Keys, first: np.uint64, second: np.uint64) -> Keys:
    x = (x ^ (x >> _S33)) * first
    x = (x ^ (x >> _S29)) * second
    return x ^ (x >> _S31)


def spread(numbers: npt.NDArray[Any], salt: int = 0) -> Keys:
    """Return keys (n × 2) for numbers of 64 bits: spread evenly, and different for different numbers."""
    plain = numbers.astype(np.uint64)
    return np.stack([_mixed(plain + np.uint64(salt * int(_C) % 2**64), _A, _B), plain], axis=1)


def fingerprints(column: Any) -> Keys:
    """Return keys (n × 2) for the strings or byte strings of an Arrow column without nulls.

    Not cryptographic: two strings that differ have the same 128 bits by accident once in 10²⁰ pairs and more, and
    whoever finds two keys equal compares the strings. One pass over the column per distinct length.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    out = np.empty((len(array), 2), np.uint64)
    if not len(array):
        return out
    offsets: Any
    data: Any
    _, offsets, data = array.buffers()
    at = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    lengths = np.diff(at)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        if len(rows) == len(array):
            bytes_ = held[at[0] : at[-1]].reshape(len(array), length)
        else:
            bytes_ = held[at[rows][:, None] + np.arange(length)]
        out[rows] = _of_one_length(bytes_, length)
    return out


def _of_one_length(bytes_: npt.NDArray[np.uint8], length: int) -> Keys:
    padded = np.zeros((len(bytes_), -(-length // 8) * 8), np.uint8)
    padded[:, :length] = bytes_
    words = padded.view("<u8")
    hi = np.full(len(bytes_), length, np.uint64)
    lo = ~hi
    for n in range(words.shape[1]):
        hi = _mixed(hi ^ words[:, n], _A, _B)
        lo = _mixed(lo + words[:, n], _C, _D)
    return np.stack([hi, lo], axis=1)


class Spill:
    """Rows of a key and some numbers. Raises `Misconfigured` when the temporary folder is full."""

    def __init__(self, fields: dict[str, str], *, most: int = _MOST) -> None:
        self._dtype = np.dtype([*_KEY, *fields.items()])
        self._most = most
        self._waiting: list[Rows] = []
        self._held = 0
        self._runs: list[int] = []
        self._sizes = np.zeros(2**_BITS, np.int64)
        self._file: IO[bytes] | None = None

    def add(self, keys: Keys, **columns: Any) -> None:
        """Add rows: keys (n × 2), and for each field an array of n or one number for all."""
        rows = np.empty(len(keys), self._dtype)
        rows["hi"], rows["lo"] = keys[:, 0], keys[:, 1]
        for name, values in columns.items():
            rows[name] = values
        self.extend(rows)

    def extend(self, rows: Rows) -> None:
        """Add rows that another spill gave."""
        for start in range(0, len(rows), self._most):
            part = rows[start : start + self._most]
            self._waiting.append(part)
            self._held += len(part)
            if self._held >= self._most:
                self._write()

    def _write(self) -> None:
        """Write a run: its rows, then where each prefix starts among them."""
        rows = np.concatenate(self._waiting)
        self._waiting, self._held = [], 0
        prefix = (rows["hi"] >> np.uint64(64 - _BITS)).astype(np.uint16)
        sizes = np.bincount(prefix, minlength=2**_BITS)
        self._sizes += sizes
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="depeche-verify-")  # noqa: SIM115 - closed by `close`
            self._runs.append(self._file.seek(0, 2))
            self._file.write(np.concatenate([[0], np.cumsum(sizes)]).astype("<i8").tobytes())
            self._file.write(rows[np.argsort(prefix, kind="stable")].tobytes())
        except OSError as error:
            folder = tempfile.gettempdir()
            raise Misconfigured(
                f"{folder} takes no more ({error.strerror}); point TMPDIR to a larger folder"
            ) from error

    def chunks(self) -> Iterator[Rows]:
        """Yield all rows once, sorted by key, in pieces that never cut a group; then forget them."""
        if self._file is None:
            if self._waiting:
                yield _sorted(np.concatenate(self._waiting))
            self.close()
            return
        if self._waiting:
            self._write()
        first = 0
        while first < 2**_BITS:
            within = np.cumsum(self._sizes[first:]) <= self._most
            last = first + max(1, int(within.sum()))
            rows = np.concatenate([self._read(run, first, last) for run in self._runs])
            first = last
            if len(rows):
                yield _sorted(rows)
        self.close()

    def _read(self, run: int, first: int, last: int) -> Rows:
        """Return a run's rows whose prefix is in a range."""
        assert self._file is not None
        self._file.seek(run + 8 * first)
        begin, *_, end = np.frombuffer(self._file.read(8 * (last - first + 1)), "<i8").tolist()
        size = self._dtype.itemsize
        self._file.seek(run + 8 * (2**_BITS + 1) + begin * size)
        return np.frombuffer(self._file.read((end - begin) * size), self._dtype)

    def close(self) -> None:
        """Drop the rows and the file."""
        self._waiting, self._held, self._runs = [], 0, []
        self._sizes[:] = 0
        if self._file is not None:
            self._file.close()
            self._file = None


def _sorted(rows: Rows) -> Rows:
    rows = rows[np.argsort(rows["hi"])]
    if np.any(rows["hi"][1:] == rows["hi"][:-1]):
        rows = rows[np.lexsort((rows["lo"], rows["hi"]))]
    return rows


def groups(rows: Rows) -> npt.NDArray[np.int64]:
    """Return where each group of equal keys starts in sorted rows."""
    if not len(rows):
        return np.empty(0, np.int64)
    new = np.ones(len(rows), bool)
    new[1:] = (rows["hi"][1:] != rows["hi"][:-1]) | (rows["lo"][1:] != rows["lo"][:-1])
    return np.flatnonzero(new)
