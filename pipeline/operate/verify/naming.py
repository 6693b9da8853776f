"""Words for faults: what stands at a place, read from its segment once there is something to say."""

from collections.abc import Iterator

import pyarrow as pa

from pipeline.errors import DepecheError
from pipeline.manifest import Manifest, manifest_prefix, read_manifest
from pipeline.operate.verify.segments import ID_COLUMNS, table_of
from pipeline.operate.verify.verdict import place, split
from pipeline.ports import ObjectStore


def event_ids(store: ObjectStore, topic: str, places: set[int]) -> dict[int, str]:
    """Return the event ids at these places, as far as they can be read."""
    return _columns(store, topic, places, ID_COLUMNS)


def article_ids(store: ObjectStore, topic: str, places: set[int]) -> dict[int, str]:
    """Return the ids of the articles at these places, as far as they can be read."""
    return _columns(store, topic, places, {"articles": "article_id"})


def _columns(store: ObjectStore, topic: str, places: set[int], columns: dict[str, str]) -> dict[int, str]:
    out: dict[int, str] = {}
    for manifest, offsets in _holding(store, topic, places):
        for name, column in columns.items():
            table = table_of(store, manifest, name)
            if table is None:
                continue
            table = table.filter(pa.compute.is_in(table["log_offset"], pa.array(sorted(offsets), pa.int64())))
            rows = zip(table["log_offset"].to_pylist(), table[column].to_pylist(), strict=True)
            out |= {place(manifest.partition, offset): str(value) for offset, value in rows}
    return out


def _holding(store: ObjectStore, topic: str, places: set[int]) -> Iterator[tuple[Manifest, set[int]]]:
    """Yield the segments that hold these places, and their offsets there."""
    wanted: dict[int, set[int]] = {}
    for each in places:
        partition, offset = split(each)
        wanted.setdefault(partition, set()).add(offset)
    for number, offsets in wanted.items():
        for info in store.list(manifest_prefix(topic, number)):
            try:
                manifest = read_manifest(store.get(info.key))
            except (DepecheError, KeyError):
                continue
            held = {offset for offset in offsets if manifest.start <= offset < manifest.end}
            if held:
                yield manifest, held
