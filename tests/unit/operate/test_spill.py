"""What does not fit into memory goes through a file: every row comes back once, groups whole, in fixed memory."""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Misconfigured
from pipeline.operate.verify.spill import Spill, fingerprints, groups, spread


@given(st.lists(st.binary(max_size=40), max_size=60), st.integers(0, 5))
def test_keys_are_equal_exactly_where_the_strings_are(values: list[bytes], skipped: int) -> None:
    column = pa.array(values, pa.binary())[skipped:]
    keys = [tuple(key) for key in fingerprints(column).tolist()]
    kept = values[skipped:]
    assert len(keys) == len(kept)
    assert len(set(keys)) == len(set(kept))
    assert len(set(zip(kept, keys, strict=True))) == len(set(kept))


def test_keys_of_a_chunked_column_are_those_of_its_values() -> None:
    whole = pa.array(["a", "bb", "", "a"])
    chunked = pa.chunked_array([whole[:1], whole[1:]])
    assert fingerprints(chunked).tolist() == fingerprints(whole).tolist()


@given(st.sets(st.integers(0, 2**63 - 1), max_size=50), st.integers(0, 9), st.integers(0, 9))
def test_numbers_are_spread_without_meeting(numbers: set[int], salt: int, other: int) -> None:
    both = [spread(np.array(sorted(numbers), np.int64), s) for s in {salt, other}]
    keys = {tuple(key) for each in both for key in each.tolist()}
    assert len(keys) == len(numbers) * len({salt, other})


@given(st.lists(st.integers(0, 300), max_size=400), st.integers(1, 50))
def test_every_row_comes_back_once_and_groups_are_whole(numbers: list[int], most: int) -> None:
    kept = Spill({"value": "<i8"}, most=most)
    for start in range(0, len(numbers), 7):
        part = np.array(numbers[start : start + 7], np.int64)
        kept.add(spread(part), value=part)
    seen: list[int] = []
    for rows in kept.chunks():
        heads = rows["value"][groups(rows)].tolist()
        assert not set(heads) & set(seen)
        assert len(set(heads)) == len(heads)
        seen += rows["value"].tolist()
    assert sorted(seen) == sorted(numbers)
    assert list(kept.chunks()) == []


def test_memory_stays_the_same_for_ten_times_the_rows() -> None:
    def peak(rows: int) -> int:
        tracemalloc.start()
        kept = Spill({"place": "<i8"}, most=2**14)
        for start in range(0, rows, 5_000):
            part = np.arange(start, start + 5_000)
            kept.add(spread(part), place=part)
        assert sum(len(chunk) for chunk in kept.chunks()) == rows
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few, many = peak(100_000), peak(1_000_000)
    assert many < 1.3 * few


def test_a_full_folder_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    kept = Spill({}, most=10)
    with pytest.raises(Misconfigured, match="TMPDIR"):
        kept.add(spread(np.arange(20)))
