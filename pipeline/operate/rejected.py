"""What was turned down: counted, shown with its original bytes, and tried again after a fix.

Promise of `retry`: each rejection is tried again at most once, whoever asks, however often, at the same time,
and whatever crashes in between. The steps:

1. claim the one transactional id of all retries: its earlier bearer is fenced, and what he was committing is decided,
2. look which of the wanted rejections were tried again already: a retry stands behind its original, in its partition,
3. write the others, some at a time, each lot in one transaction.

Memory holds the ids of what is to be tried again, and one lot.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from pipeline import codec, flow
from pipeline.errors import DepecheError, Flaw
from pipeline.events import Envelope, Rejected
from pipeline.identity import event_id
from pipeline.operate.catching_up import from_json
from pipeline.ports import LogBrowser, Message, Partition

RETRY_ID = flow.group("retry")
"""The transactional id that all retries share."""

_MOST_NAMED = 10
_LOT_MESSAGES = 100
_LOT_BYTES = 8 * 2**20


class Entry(NamedTuple):
    """A rejection with its envelope."""

    envelope: Envelope
    data: Rejected


class Wanted(NamedTuple):
    """Which rejections are meant; what is None does not matter."""

    reason: str | None = None
    stage: str | None = None
    source: str | None = None
    since: datetime | None = None

    def has(self, entry: Entry) -> bool:
        """Tell whether the rejection is one of them."""
        data = entry.data
        return (
            self.reason in (None, data.reason)
            and self.stage in (None, data.stage)
            and self.source in (None, source_of(entry))
            and (self.since is None or data.rejected_at >= self.since)
        )


class Report(msgspec.Struct, frozen=True):
    """What a retry did: `skipped` says of each rejection that cannot be tried again why."""

    written: int
    done_before: int
    skipped: tuple[str, ...] = ()


class Writer(Protocol):
    """Writes messages in one transaction, and can fence whoever bears its id already."""

    def claim(self) -> None: ...
    def write(self, messages: Sequence[Message]) -> None: ...


ALL = Wanted()


def entries(browser: LogBrowser, wanted: Wanted = ALL) -> Iterator[Entry]:
    """Yield the rejections that are wanted, stage by stage, oldest first in each partition."""
    for topic in flow.REJECTED:
        for partition, (start, end) in browser.bounds(topic).items():
            for record in browser.read(partition, start, end):
                event = codec.decode(record)
                if isinstance(event, Flaw) or not isinstance(event.data, Rejected):
                    continue
                entry = Entry(event.envelope, event.data)
                if wanted.has(entry):
                    yield entry


def source_of(entry: Entry) -> str | None:
    """Return the source of what was turned down, looking into its original where the rejection does not say."""
    if entry.data.source is not None:
        return entry.data.source
    try:
        body = msgspec.json.decode(entry.data.original, type=_HasSource)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return body.source


class _HasSource(msgspec.Struct):
    source: str | None = None


def counts(found: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """Return stage → reason → count."""
    out: dict[str, Counter[str]] = {}
    for entry in found:
        out.setdefault(entry.data.stage, Counter())[entry.data.reason] += 1
    return {stage: dict(reasons.most_common()) for stage, reasons in out.items()}


def find(browser: LogBrowser, beginnings: Iterable[str]) -> list[Entry]:
    """Return the rejections whose ids begin so. Raises `DepecheError` where there is not exactly one."""
    wanted = list(dict.fromkeys(beginnings))
    found: dict[str, dict[str, Entry]] = {beginning: {} for beginning in wanted}
    for entry in entries(browser):
        for beginning in wanted:
            if entry.envelope.id.startswith(beginning) and len(found[beginning]) < _MOST_NAMED:
                found[beginning][entry.envelope.id] = entry
    for beginning, those in found.items():
        if len(those) != 1:
            raise DepecheError(
                f"{len(those)} rejections have an id that begins with {beginning!r}; `depeche rejected list`"
            )
    return [entry for those in found.values() for entry in those.values()]


def again(entry: Entry) -> Message:
    """Return the rejected input, to be written behind itself once more as a new event caused by its rejection.

    Raises `DepecheError` when it cannot be: what fetch turned down never became an event, and of an oversize
    input only a part was kept.
    """
    data = entry.data
    place, _, _ = data.position.rpartition("@")
    if data.stage == "fetch" or not place.startswith(flow.FACTS):
        raise DepecheError(
            f"{entry.envelope.id} was turned down before it was an article, and its source reads it best: "
            f"`depeche fetch {data.source} --since {data.rejected_at.date()}` pulls it again"
        )
    if len(data.original) < data.original_size:
        raise DepecheError(f"of {entry.envelope.id} only {len(data.original)} of {data.original_size} bytes were kept")
    (partition,) = from_json({place: 0})
    headers = {"ce_correlationid": entry.envelope.correlationid, **data.original_headers}
    headers |= {"ce_id": event_id("retry", entry.envelope.id), "ce_causationid": entry.envelope.id}
    encoded = tuple((name, value.encode()) for name, value in headers.items())
    return Message(partition.topic, (data.article_id or "").encode(), encoded, data.original, partition.number)


def retry(browser: LogBrowser, writer: Writer, wanted: Callable[[Entry], bool]) -> Report:
    """Take the wanted rejections through steps 1 to 3. Raises `Fenced` when another retry began meanwhile."""
    places: dict[str, tuple[Partition, int]] = {}
    skipped = []
    for entry in filter(wanted, entries(browser)):
        try:
            message = again(entry)
        except DepecheError as error:
            skipped.append(str(error))
            continue
        partition = Partition(message.topic, message.partition or 0)
        places[entry.envelope.id] = (partition, int(entry.data.position.rpartition("@")[2]))
    writer.claim()
    done = retried(browser, places)
    written = 0
    for lot in _lots(again(e) for e in _once(entries(browser), set(places) - done)):
        writer.write(lot)
        written += len(lot)
    return Report(written=written, done_before=len(done), skipped=tuple(skipped))


def retried(browser: LogBrowser, places: Mapping[str, tuple[Partition, int]]) -> set[str]:
    """Return which rejections were tried again already; `places` says where the original of each stands."""
    first: dict[Partition, int] = defaultdict(lambda: 2**63)
    for partition, offset in places.values():
        first[partition] = min(first[partition], offset + 1)
    out = set()
    for partition, start in first.items():
        begin, end = browser.bounds(partition.topic)[partition]
        for record in browser.read(partition, max(start, begin), end):
            cause = dict(record.headers).get("ce_causationid", b"").decode(errors="replace")
            if cause in places:
                out.add(cause)
    return out


def _once(found: Iterable[Entry], left: set[str]) -> Iterator[Entry]:
    for entry in found:
        if entry.envelope.id in left:
            left.discard(entry.envelope.id)
            yield entry


def _lots(messages: Iterable[Message]) -> Iterator[list[Message]]:
    lot: list[Message] = []
    for message in messages:
        if lot and (len(lot) == _LOT_MESSAGES or sum(len(m.value) for m in lot) + len(message.value) > _LOT_BYTES):
            yield lot
            lot = []
        lot.append(message)
    if lot:
        yield lot


def as_row(entry: Entry) -> dict[str, object]:
    """Return what a list shows of a rejection."""
    return {
        "id": entry.envelope.id,
        "stage": entry.data.stage,
        "reason": entry.data.reason,
        "detail": entry.data.detail,
        "source": source_of(entry),
        "position": entry.data.position,
        "bytes": entry.data.original_size,
        "at": entry.data.rejected_at.isoformat(),
    }


def as_whole(entry: Entry) -> dict[str, object]:
    """Return everything that is kept of a rejection but its original bytes."""
    return as_row(entry) | {
        "article_id": entry.data.article_id,
        "causation": entry.envelope.causationid,
        "correlation": entry.envelope.correlationid,
        "headers": dict(entry.data.original_headers),
        "traceback": entry.data.traceback,
    }
