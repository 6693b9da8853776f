"""Data files that no manifest names: left by whoever died or lost a race before his commit. Counted, no fault."""

import numpy as np
import pyarrow as pa

from pipeline.manifest import Manifest
from pipeline.operate.verify.spill import Spill, fingerprints, groups
from pipeline.operate.verify.verdict import Findings
from pipeline.ports import ObjectStore

_NAMED, _THERE = 0, 1
_BATCH = 10_000


class Garbage:
    """Gathers the files that manifests name, then lists what else is there."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._files = Spill({"kind": "u1", "bytes": "<i8"})

    def named(self, manifest: Manifest) -> None:
        """Take the files of a segment."""
        if manifest.tables:
            self._add([file.key for file in manifest.tables.values()], _NAMED, 0)

    def _add(self, keys: list[str], kind: int, sizes: int | list[int]) -> None:
        self._files.add(fingerprints(pa.array(keys, pa.string())), kind=kind, bytes=sizes)

    def settle(self, store: ObjectStore) -> None:
        """Count files and bytes that no manifest names."""
        keys: list[str] = []
        sizes: list[int] = []
        for info in store.list("data/"):
            keys.append(info.key)
            sizes.append(info.size)
            if len(keys) >= _BATCH:
                self._add(keys, _THERE, sizes)
                keys, sizes = [], []
        self._add(keys, _THERE, sizes)
        files = size = 0
        for rows in self._files.chunks():
            start = groups(rows)
            count = np.diff(np.append(start, len(rows)))
            named = np.add.reduceat(rows["kind"] == _NAMED, start)
            alone = np.repeat(named == 0, count)
            files += int(alone.sum())
            size += int(rows["bytes"][alone].sum())
        self._findings.count("garbage: files", files)
        self._findings.count("garbage: bytes", size)
