"""The segment chain's names and its manifests: a manifest is the commit of one segment.

    log/topic=<topic>/p=<5 digits>/<start offset, 20 digits>.json              the manifest
    data/topic=<topic>/table=<table>/dt=<ingest day>/p=<5 digits>/<start>-<unique>.parquet

A manifest's key holds no day, so two writers at the same offset always meet at the same name, whatever
their clocks say. Data files have names nobody else uses; one that no manifest names is garbage.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime

import msgspec

from pipeline.errors import DepecheError
from pipeline.ports import ObjectStore

FORMAT = 1


class TableFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file of a segment."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one segment holds: the committed records with start ≤ offset < end of one partition."""

    format: int
    topic: str
    partition: int
    start: int
    end: int
    records: int
    dt: str
    first_timestamp: datetime
    last_timestamp: datetime
    created_at: datetime
    code_version: str
    tables: dict[str, TableFile]


_DECODER = msgspec.json.Decoder(Manifest)


def manifest_prefix(topic: str, partition: int | None = None) -> str:
    """Return what the keys of a topic's manifests start with, or of one partition's."""
    return f"log/topic={topic}/" + ("" if partition is None else f"p={partition:05d}/")


def manifest_key(topic: str, partition: int, start: int) -> str:
    """Return the one key a segment starting at `start` can have."""
    return f"{manifest_prefix(topic, partition)}{start:020d}.json"


def data_key(topic: str, table: str, dt: str, partition: int, start: int, unique: str) -> str:
    """Return the key of a data file."""
    return f"data/topic={topic}/table={table}/dt={dt}/p={partition:05d}/{start:020d}-{unique}.parquet"


def write_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as JSON a person can read."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def read_manifest(data: bytes) -> Manifest:
    """Return the manifest. Raises `DepecheError` when the bytes are none."""
    try:
        manifest = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DepecheError(f"this is no manifest: {error}") from error
    if manifest.format != FORMAT:
        raise DepecheError(f"this manifest has format {manifest.format}; this version reads {FORMAT}")
    return manifest


def manifests(store: ObjectStore, topic: str) -> Iterator[tuple[str, Manifest]]:
    """Yield key and manifest of every segment of a topic, along each partition in offset order."""
    for info in store.list(manifest_prefix(topic)):
        try:
            yield info.key, read_manifest(store.get(info.key))
        except DepecheError as error:
            raise DepecheError(f"{info.key}: {error}") from error


def checked(file: TableFile, store: ObjectStore) -> bytes:
    """Return the bytes of a file if they are those its manifest committed. Raises `DepecheError`."""
    try:
        data = store.get(file.key)
    except KeyError as error:
        raise DepecheError(f"{file.key} is missing, though a manifest names it; run `depeche verify`") from error
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        raise DepecheError(f"{file.key} has SHA-256 {found}, its manifest says {file.sha256}; run `depeche verify`")
    return data
