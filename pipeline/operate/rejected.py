"""What was turned down: counted, shown with its original bytes, and tried again after a fix.

Promise of `retry`: each rejection is tried again at most once, whoever asks, however often, at the same time,
and whatever crashes in between. The steps:

1. claim the one transactional id of all retries: its earlier bearer is fenced, and what he was committing is decided,
2. look which of the wanted rejections were tried again already: a retry stands behind its original, in its partition,
3. write the others, some at a time, each lot in one transaction, but not those of whose article a later input stands:
   a withdrawn article does not come back, and an old text does not take the place of a new one.

Memory holds the places of all rejections and the ids of what is to be tried again, and one lot.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
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


def again(entry: Entry, browser: LogBrowser) -> Message:
    """Return the rejected input, to be written behind itself once more as a new event caused by its rejection.

    Of a large one the rejection kept a part: the whole is where it stood, in log or archive. Raises `DepecheError`
    when it is not there any more, and for what fetch turned down, which never became an event.
    """
    data = entry.data
    stood = _place(entry)
    if data.stage == "fetch" or not stood:
        raise DepecheError(
            f"{entry.envelope.id} was turned down before it was an article, and its source reads it best: "
            f"`depeche fetch {data.source} --since {data.rejected_at.date()}` pulls it again"
        )
    ((partition, offset),) = stood
    original = data.original
    if len(original) < data.original_size:
        standing = [record.value for record in browser.read(partition, offset, offset + 1)]
        if [len(value) for value in standing] != [data.original_size]:
            kept = f"only {len(original)} of {data.original_size} bytes were kept"
            raise DepecheError(f"of {entry.envelope.id} {kept}, and where it stood it is no more")
        (original,) = standing
    headers = {"ce_correlationid": entry.envelope.correlationid, **data.original_headers}
    headers |= {"ce_id": event_id("retry", entry.envelope.id), "ce_causationid": entry.envelope.id}
    encoded = tuple((name, value.encode()) for name, value in headers.items())
    return Message(partition.topic, (data.article_id or "").encode(), encoded, original, partition.number)


def retry(browser: LogBrowser, writer: Writer, wanted: Callable[[Entry], bool]) -> Report:
    """Take the wanted rejections through steps 1 to 3. Raises `Fenced` when another retry began meanwhile."""
    originals: dict[str, _Original] = {}
    turned_down: set[tuple[Partition, int]] = set()
    skipped = []
    for entry in entries(browser):
        turned_down |= _place(entry)
        if not wanted(entry):
            continue
        try:
            message = again(entry, browser)
        except DepecheError as error:
            skipped.append(str(error))
            continue
        ((partition, offset),) = _place(entry)
        originals[entry.envelope.id] = _Original(partition, offset, message.key)
    behind = _Behind(browser, originals, turned_down)
    writer.claim()
    behind.look()
    done_before = len(behind.done)
    written = 0
    for lot in _lots(_once(entries(browser), set(originals) - behind.done)):
        behind.look()
        # What another retry wrote meanwhile is written in vain: that is how this one learns that it is fenced.
        late = [
            entry
            for entry in lot
            if entry.envelope.id not in behind.done and behind.supersedes(originals[entry.envelope.id])
        ]
        skipped += [f"{entry.envelope.id} is of an article of which a later input was accepted since" for entry in late]
        if messages := [again(entry, browser) for entry in lot if entry not in late]:
            writer.write(messages)
        written += len(messages)
    return Report(written=written, done_before=done_before, skipped=tuple(skipped))


class _Original(NamedTuple):
    """Where a rejected input stands, and the article it is of."""

    partition: Partition
    offset: int
    key: bytes


def _place(entry: Entry) -> set[tuple[Partition, int]]:
    """Return where the rejected input stands, if it was in the log at all."""
    place, _, offset = entry.data.position.rpartition("@")
    if not place.startswith(flow.FACTS):
        return set()
    (partition,) = from_json({place: 0})
    return {(partition, int(offset))}


class _Behind:
    """What stands behind the originals, in their partitions: their retries, and later inputs of their articles."""

    def __init__(
        self, browser: LogBrowser, originals: Mapping[str, _Original], turned_down: Set[tuple[Partition, int]]
    ) -> None:
        self._browser = browser
        self._originals = originals
        self._turned_down = turned_down
        self._articles = {(each.partition, each.key) for each in originals.values() if each.key}
        self._accepted: dict[tuple[Partition, bytes], int] = {}
        self._seen: dict[Partition, int] = {}
        for each in originals.values():
            self._seen[each.partition] = min(self._seen.get(each.partition, 2**63), each.offset + 1)
        self.done: set[str] = set()
        """Which rejections were tried again already."""

    def look(self) -> None:
        """Read what has come since the last look."""
        for partition, start in self._seen.items():
            begin, end = self._browser.bounds(partition.topic)[partition]
            for record in self._browser.read(partition, max(start, begin), end):
                cause = dict(record.headers).get("ce_causationid", b"").decode(errors="replace")
                if cause in self._originals:
                    self.done.add(cause)
                article = (partition, record.key)
                if article in self._articles and (partition, record.offset) not in self._turned_down:
                    self._accepted[article] = record.offset
            self._seen[partition] = max(start, end)

    def supersedes(self, original: _Original) -> bool:
        """Tell whether a later input of the same article stands, which an old one would undo if it came again."""
        return self._accepted.get((original.partition, original.key), -1) > original.offset


def _once(found: Iterable[Entry], left: set[str]) -> Iterator[Entry]:
    for entry in found:
        if entry.envelope.id in left:
            left.discard(entry.envelope.id)
            yield entry


def _lots(found: Iterable[Entry]) -> Iterator[list[Entry]]:
    lot: list[Entry] = []
    for entry in found:
        size = sum(each.data.original_size for each in lot) + entry.data.original_size
        if lot and (len(lot) == _LOT_MESSAGES or size > _LOT_BYTES):
            yield lot
            lot = []
        lot.append(entry)
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
