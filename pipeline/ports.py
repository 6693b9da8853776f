"""What the house needs from outside, each as a Protocol of at most four methods.

Every port has a real adapter and a memory twin in `adapters/`, and both pass one suite in
`tests/contract/`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    import pyarrow as pa


class Partition(NamedTuple):
    """One ordered part of a topic."""

    topic: str
    number: int


class Message(NamedTuple):
    """What is written to the log. Without `partition`, the key decides."""

    topic: str
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    partition: int | None = None


class Record(NamedTuple):
    """What is read from the log."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


class Rebalance(Protocol):
    """Whoever reads a log is told which partitions are his before he sees their records."""

    def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Return the positions to start from; a partition left out starts at the group's committed offset."""

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Finish: what is buffered may still be flushed."""

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Drop what is buffered; another instance has the partitions already."""


class EventLog(Protocol):
    """One member of a consumer group, reading committed records only, and its writer.

    Raises `RetryLater` when the broker cannot be reached, `Fenced` when another instance took over.
    """

    def poll(self, timeout: float, limit: int) -> list[Record]:
        """Return up to `limit` next records, in offset order per partition; empty after `timeout` seconds.

        Their values hold no more bytes than the log was opened with as its most, but for a single larger record."""

    def commit(self, messages: Sequence[Message], positions: Mapping[Partition, int]) -> None:
        """Write `messages` and move the group to `positions` (the next offset to read), all or nothing.

        After `RetryLater` it may have happened all the same: only the group's committed offsets tell.
        """

    def seek(self, positions: Mapping[Partition, int | None]) -> None:
        """Read on from these offsets; where there is None, from the group's committed one, waiting until a commit
        that is under way is decided."""

    def close(self) -> None:
        """Leave the group; what is not committed is read again by whoever comes next."""


class LogBrowser(Protocol):
    """Reading a log without being part of a group. Raises `RetryLater`."""

    def bounds(self, topic: str) -> dict[Partition, tuple[int, int]]:
        """Return first and end offset (exclusive) of each partition, open transactions included."""

    def read(self, partition: Partition, start: int, end: int) -> Iterator[Record]:
        """Yield the committed records with start ≤ offset < end; offsets may have holes.

        Where a transaction is open before `end`, this waits until it is committed or aborted.
        """

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        """Return the group's positions; a partition without one is left out.

        One that a commit is just moving is told when that is decided.
        """

    def close(self) -> None:
        """Release the connection."""


class ObjectInfo(NamedTuple):
    key: str
    size: int
    etag: str
    modified_at: datetime


class ObjectStore(Protocol):
    """Named immutable bytes. Raises `RetryLater` when the store cannot be reached."""

    def create(self, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> bool:
        """Store `data` if and only if nothing has this key yet; tell whether it was stored."""

    def get(self, key: str, length: int | None = None) -> bytes:
        """Return the bytes, or the first `length` of them. Raises `KeyError`."""

    def head(self, key: str) -> tuple[ObjectInfo, dict[str, str]] | None:
        """Return size and metadata, or None where nothing has this key."""

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """Yield what starts with `prefix` and sorts behind `after`, in key order."""


Answer = Literal["stored", "refused", "unknown"]
"""What a store made of a write: did it; refused it, for its condition or checksum; does not know such a request."""


class StoreProbe(Protocol):
    """What `depeche doctor` asks of a store beyond `ObjectStore`. Raises `RetryLater` when it cannot be reached."""

    def put(self, key: str, data: bytes, *, only_if: str | None = None, sha256: bytes | None = None) -> Answer:
        """Store `data` if the object's ETag is `only_if` and its own digest is `sha256`."""

    def put_in_parts(self, key: str, data: bytes) -> Answer:
        """Store `data` by a multipart upload, if nothing has this key yet."""

    def delete(self, key: str) -> bool:
        """Remove what has this key; False where the store or our rights do not allow it."""

    def now(self) -> datetime:
        """Return the store's clock, to the second."""


class TopicFacts(NamedTuple):
    """How a topic is kept.

    `replicas`: of its least replicated partition; `lagging`: partitions whose replicas are not all in sync.
    """

    partitions: int
    replicas: int
    lagging: int
    settings: Mapping[str, str]


class BrokerProbe(Protocol):
    """What `depeche doctor` asks of a broker beyond `LogBrowser`. Raises `RetryLater`."""

    def brokers(self) -> tuple[int, int]:
        """Return how many brokers there are, and which transaction protocol they have settled on (0 unknown, 1, 2)."""

    def topics(self, names: Sequence[str]) -> dict[str, TopicFacts]:
        """Return how each topic is kept; one that is not there is left out."""

    def settings(self) -> Mapping[str, str]:
        """Return the settings of one broker."""

    def ahead(self) -> float:
        """Return by how many seconds the broker's clock is ahead of ours; negative where it is behind."""


class LeftOpen(NamedTuple):
    """A transaction that holds up a partition's readers though its coordinator is done with it.

    `start` is the offset of its first record; the last one was written at `written_at`.
    """

    partition: Partition
    start: int
    written_at: datetime
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int


class TransactionEnds(Protocol):
    """The ends of transactions that a broker never wrote: docs/decisions/0009-ends-never-written.md.

    Raises `RetryLater`.
    """

    def left_open(self, topics: Sequence[str]) -> list[LeftOpen]:
        """Return what nobody will ever end; a transaction that is under way is not among them."""

    def decided(self, transaction: LeftOpen) -> bool | None:
        """Tell whether its coordinator had decided to commit it (or to undo it); None where it kept no word."""

    def end(self, transaction: LeftOpen, *, commit: bool) -> None:
        """Write the end that is missing."""


class Response(NamedTuple):
    """An HTTP answer. `truncated`: the decompressed body passed the limit and was cut there."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


class Fetcher(Protocol):
    """Well-behaved HTTP GET: robots.txt, one request at a time per host, delays, limits, redirects."""

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Return the final answer, of any status. `status` 0 with reason in `headers["x-error"]` when robots.txt
        or our own rules forbid it. Raises `RetryLater` when the site cannot be reached or asks to wait."""


class Span(NamedTuple):
    """Code points, end exclusive."""

    start: int
    end: int


class EntitySpan(Struct, frozen=True):
    """An entity found in a sentence. type: PER ORG LOC EVENT PRODUCT DATE TIME."""

    start: int
    end: int
    type: str
    confidence: float


class EventSpan(Struct, frozen=True):
    """An event found in a sentence, in PLOVER 2.0 terms, with the spans that prove it."""

    type: str
    mode: str | None
    status: str
    contexts: tuple[str, ...]
    confidence: float
    trigger: Span
    actors: tuple[Span, ...]
    recipients: tuple[Span, ...]
    places: tuple[Span, ...]


class ModelReading(Struct, frozen=True):
    """What the model reads out of one sentence; spans are relative to that sentence."""

    entities: tuple[EntitySpan, ...]
    events: tuple[EventSpan, ...]


class ModelInfo(Struct, frozen=True):
    name: str
    version: str
    sha256: str


class Model(Protocol):
    """Reads the sentences of one French article, its title first. What it reads depends on that article alone,
    never on which others are read beside it."""

    @property
    def info(self) -> ModelInfo: ...

    def read(self, sentences: Sequence[str]) -> list[ModelReading]:
        """Return one reading per sentence of the article, in the same order; an empty sentence has an empty one."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present instant, in UTC and timezone-aware."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None: ...


class Warehouse(Protocol):
    """SQL tables fed from segments, each segment exactly once."""

    def loaded(self) -> set[str]:
        """Return the manifest keys already in the tables."""

    def load(self, manifest: str, tables: Mapping[str, "pa.Table"]) -> bool:
        """Add one segment's rows and its manifest key in one transaction; False if it was there already."""

    def query(self, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
        """Return column names and rows."""

    def close(self) -> None: ...


class Rebuilt(Protocol):
    """SQL tables that can be replaced whole."""

    def rebuild(self, names: Sequence[str], segments: Iterable[tuple[str, Mapping[str, "pa.Table"]]]) -> None:
        """Put what these segments (manifest key, rows) say in place of everything in the tables `names`, in one
        transaction: readers see the old tables or the new ones, and whatever fails leaves the old."""
