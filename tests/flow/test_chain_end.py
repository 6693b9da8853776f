"""Where a chain ends is found without listing all of it, and never depends on where one looks first."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapters.memory import MemoryClock
from pipeline.adapters.memory_store import MemoryStore
from pipeline.archive import chain_end
from pipeline.manifest import Manifest, manifest_key, write_manifest
from pipeline.ports import ObjectInfo, Partition
from tests.flow.segments import TOPIC


class CountingStore(MemoryStore):
    """Counts what its listings yield."""

    listed = 0

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        for info in super().list(prefix, after):
            self.listed += 1
            yield info


def chain(ends: Sequence[int], first: int = 0) -> CountingStore:
    store = CountingStore()
    for start, end in zip([first, *ends], ends, strict=False):
        whole = Manifest(
            format=1,
            topic=TOPIC,
            partition=0,
            start=start,
            end=end,
            records=1,
            dt="2026-01-01",
            first_timestamp=MemoryClock().now(),
            last_timestamp=MemoryClock().now(),
            created_at=MemoryClock().now(),
            code_version="t",
            tables={},
        )
        store.create(manifest_key(TOPIC, 0, start), write_manifest(whole))
    return store


@given(
    steps=st.lists(st.sampled_from([1, 7, 999, 1_000, 40_000, 2_000_000]), max_size=12),
    before=st.none() | st.integers(0, 10**8),
    first=st.sampled_from([0, 5, 5_000]),
)
def test_where_a_chain_ends_does_not_depend_on_where_one_looks_first(
    steps: list[int], before: int | None, first: int
) -> None:
    ends = list(accumulate(steps, initial=first))[1:]
    assert chain_end(chain(ends, first), Partition(TOPIC, 0), first, before) == (ends[-1] if ends else first)


def test_finding_the_end_of_a_long_chain_lists_its_last_stretch_only() -> None:
    store = chain(range(10, 100_000, 10))
    assert chain_end(store, Partition(TOPIC, 0), 0, before=99_993) == 99_990
    assert store.listed < 110
