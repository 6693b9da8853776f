"""What was turned down: counted, shown with its original bytes, and tried again after a fix."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline import codec, flow
from pipeline.errors import DepecheError, Flaw
from pipeline.events import Envelope, Rejected
from pipeline.identity import event_id
from pipeline.ports import LogBrowser, Message


class Entry(NamedTuple):
    """A rejection with its envelope."""

    envelope: Envelope
    data: Rejected


def entries(browser: LogBrowser) -> Iterator[Entry]:
    """Yield every rejection of the log, stage by stage, oldest first in each partition."""
    for topic in flow.REJECTED:
        for partition, (start, end) in browser.bounds(topic).items():
            for record in browser.read(partition, start, end):
                event = codec.decode(record)
                if not isinstance(event, Flaw) and isinstance(event.data, Rejected):
                    yield Entry(event.envelope, event.data)


def counts(found: Iterator[Entry]) -> dict[str, dict[str, int]]:
    """Return stage → reason → count."""
    out: dict[str, Counter[str]] = {}
    for entry in found:
        out.setdefault(entry.data.stage, Counter())[entry.data.reason] += 1
    return {stage: dict(reasons.most_common()) for stage, reasons in out.items()}


def find(browser: LogBrowser, event_id: str) -> Entry:
    """Return the rejection whose id begins with `event_id`. Raises `DepecheError` if there is not exactly one."""
    found = [entry for entry in entries(browser) if entry.envelope.id.startswith(event_id)]
    if len(found) != 1:
        raise DepecheError(f"{len(found)} rejections have an id that begins with {event_id!r}; `depeche rejected list`")
    return found[0]


def retried(browser: LogBrowser, topic: str) -> set[str]:
    """Return the ids of what caused the records of `topic`: a rejection among them was tried again."""
    out = set()
    for partition, (start, end) in browser.bounds(topic).items():
        for record in browser.read(partition, start, end):
            out.add(dict(record.headers).get("ce_causationid", b"").decode(errors="replace"))
    return out


def again(entry: Entry) -> Message:
    """Return the rejected input, to be written to its topic once more as a new event caused by its rejection.

    Raises `DepecheError` when it cannot be: fetch pulls its sources again itself, and of an oversize input
    only a part was kept.
    """
    data = entry.data
    topic, _, _ = data.position.partition("[")
    if data.stage == "fetch" or topic not in flow.FACTS:
        raise DepecheError(f"{entry.envelope.id} was turned down at fetch; `depeche fetch` pulls its source again")
    if len(data.original) < data.original_size:
        raise DepecheError(f"of {entry.envelope.id} only {len(data.original)} of {data.original_size} bytes were kept")
    headers = dict(data.original_headers)
    headers |= {"ce_id": event_id("retry", entry.envelope.id), "ce_causationid": entry.envelope.id}
    encoded = tuple((name, value.encode()) for name, value in headers.items())
    return Message(topic, (data.article_id or "").encode(), encoded, data.original)


def as_row(entry: Entry) -> Mapping[str, object]:
    """Return what a list shows of a rejection."""
    return {
        "id": entry.envelope.id,
        "stage": entry.data.stage,
        "reason": entry.data.reason,
        "detail": entry.data.detail,
        "position": entry.data.position,
        "bytes": entry.data.original_size,
        "at": entry.data.rejected_at.isoformat(),
    }
