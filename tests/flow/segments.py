"""What the archive tests ask of the store: which records are in segments, and do the chains hold."""

import io

import pyarrow.parquet as pq

from pipeline import flow
from pipeline.manifest import manifests
from tests.flow.world import World

TOPIC = flow.FETCHED


def archived(world: World) -> list[tuple[int, int]]:
    """Return (partition, offset) of every record in the segments, after checking the chains."""
    found = []
    ends: dict[int, int] = {}
    for _, manifest in manifests(world.store, TOPIC):
        assert manifest.start == ends.get(manifest.partition, 0), "the chain has a gap or an overlap"
        ends[manifest.partition] = manifest.end
        table = pq.read_table(io.BytesIO(world.store.get(manifest.tables["records"].key)))
        assert table.num_rows == manifest.records
        found += [(manifest.partition, offset) for offset in table["log_offset"].to_pylist()]
    return found


def written(world: World) -> list[tuple[int, int]]:
    return [(r.partition, r.offset) for r in world.records(TOPIC)]


def full(count: int = 30) -> World:
    world = World()
    world.publish([world.raw(n) for n in range(count)])
    return world
