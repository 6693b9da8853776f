"""Does the object store keep what the archive rests on? Each probe writes under `doctor/` and removes what it wrote."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from uuid import uuid4

from pipeline.errors import DepecheError, Misconfigured
from pipeline.operate.doctor import Finding, Level
from pipeline.ports import ObjectStore, StoreProbe

CLOCK_SECONDS = 60.0
"""AWS turns down requests signed more than 15 minutes away from its clock; a minute is early warning."""


KEPT_PROBE = "doctor/if-none-match"
"""The one probe that stays: whoever may create and not remove can ask with it again and again."""


_AT_ONCE = 8


def require_conditional_writes(store: ObjectStore) -> None:
    """Return where the store refuses to overwrite. Raises `Misconfigured` where it does not: one small object is
    created twice under one name, the first time it is there already unless this store was never asked."""
    store.create(KEPT_PROBE, b"first")
    if store.create(KEPT_PROBE, b"second") or store.get(KEPT_PROBE) != b"first":
        raise Misconfigured(
            "DEPECHE_S3_ENDPOINT names a store that ignores If-None-Match, so two archive workers could both close"
            " a segment: exactly-once cannot be promised on it. Use a store with conditional writes, or set"
            " DEPECHE_DELIVERY=at_least_once and live with doubles"
        )


def store_findings(store: ObjectStore, probe: StoreProbe, *, now: Callable[[], datetime]) -> list[Finding]:
    """Return one finding for each thing the archive asks of its store."""
    looks: dict[str, Callable[[], tuple[Level, str]]] = {
        "S3 If-None-Match": lambda: _if_none_match(store, probe),
        "S3 If-None-Match, in parts": lambda: _in_parts(store, probe),
        "S3 If-Match": lambda: _if_match(store, probe),
        "S3 checksums": lambda: _checksums(store, probe),
        "S3 read-after-write": lambda: _read_after_write(store, probe),
        "S3 clock": lambda: clock_found("S3", (probe.now() - now()).total_seconds()),
        "S3 clean-up": lambda: _clean_up(store),
    }
    out = []
    for subject, look in looks.items():
        try:
            out.append(Finding(subject, *look()))
        except DepecheError as error:
            out.append(Finding(subject, "error", str(error)))
    return out


def clock_found(whose: str, ahead: float) -> tuple[Level, str]:
    """Return level and words for a clock that is `ahead` seconds ahead of ours."""
    if abs(ahead) <= CLOCK_SECONDS:
        return "ok", f"{whose} and this machine agree within {CLOCK_SECONDS:.0f} s"
    side = "ahead of" if ahead > 0 else "behind"
    return "warning", f"the clock of {whose} is {abs(ahead):.0f} s {side} this machine's; let both follow NTP"


@contextmanager
def _fresh(probe: StoreProbe) -> Iterator[str]:
    key = f"doctor/{uuid4().hex}"
    try:
        yield key
    finally:
        probe.delete(key)


def _refuses_second(store: ObjectStore, key: str) -> str | None:
    """Return None where the first write stands, else what happened."""
    if not store.create(key, b"first"):
        return f"it says that {key} exists, a name nobody used"
    if store.create(key, b"second"):
        return "it took a second write under one name"
    if store.get(key) != b"first":
        return "it refused a second write, and yet did it"
    return None


def _lets_many_win(store: ObjectStore, key: str) -> str | None:
    """Return None where of several writers at once one wins and its bytes stand, else what happened.

    A store that looks first and writes then refuses a second write that comes later, and not one that comes meanwhile.
    """
    bodies = [b"%d" % number for number in range(_AT_ONCE)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        won = [
            body for body, created in zip(bodies, pool.map(partial(store.create, key), bodies), strict=True) if created
        ]
    if len(won) != 1:
        return f"of {_AT_ONCE} writers at once {len(won)} were told that they had created one name"
    return (
        None
        if store.get(key) == won[0]
        else "of several writers at once one was told to have won, another's bytes stand"
    )


def _if_none_match(store: ObjectStore, probe: StoreProbe) -> tuple[Level, str]:
    with _fresh(probe) as key:
        wrong = _refuses_second(store, key)
    with _fresh(probe) as key:
        wrong = wrong or _lets_many_win(store, key)
    if wrong is None:
        return "ok", "what was stored is never overwritten"
    return "error", (
        f"the store ignores If-None-Match ({wrong}): two writers could both close a segment, and exactly-once cannot"
        " be promised on it; use a store with conditional writes"
    )


def _in_parts(store: ObjectStore, probe: StoreProbe) -> tuple[Level, str]:
    with _fresh(probe) as key:
        first = probe.put_in_parts(key, b"first")
        second = probe.put_in_parts(key, b"second") if first == "stored" else first
        kept = first == "stored" and store.get(key) == b"first"
    if first == "stored" and second == "refused" and kept:
        return "ok", "an upload in parts is not overwritten either"
    if first != "stored":
        return "warning", "the store takes no conditional upload in parts; keep segments small (DEPECHE_SEGMENT_BYTES)"
    return "warning", (
        "the store ignores If-None-Match for uploads in parts; segments have names of their own and manifests are"
        " written in one piece, so the promise holds, but for nothing else that writes here"
    )


def _if_match(store: ObjectStore, probe: StoreProbe) -> tuple[Level, str]:
    with _fresh(probe) as key:
        probe.put(key, b"first")
        found = store.head(key)
        right = probe.put(key, b"second", only_if=found[0].etag if found else "")
        wrong = probe.put(key, b"third", only_if="00000000000000000000000000000000")
    if (right, wrong) == ("stored", "refused"):
        return "ok", "a change made on a stale reading is refused"
    return "warning", "the store does not keep If-Match; Dépêche overwrites nothing, but table formats may need it"


def _checksums(store: ObjectStore, probe: StoreProbe) -> tuple[Level, str]:
    with _fresh(probe) as key:
        right = probe.put(key, b"whole", sha256=hashlib.sha256(b"whole").digest())
        wrong = probe.put(key, b"broken", sha256=hashlib.sha256(b"whole").digest())
        kept = store.get(key) if right == "stored" else b""
    if (right, wrong, kept) == ("stored", "refused", b"whole"):
        return "ok", "bytes that do not fit their SHA-256 are refused"
    if right != "stored":
        return "warning", "the store knows no SHA-256 checksums; `depeche verify` compares those of the manifests"
    return "warning", (
        "the store takes bytes that do not fit their SHA-256: what breaks on the way is seen by `depeche verify` only"
    )


def _read_after_write(store: ObjectStore, probe: StoreProbe) -> tuple[Level, str]:
    with _fresh(probe) as key:
        probe.put(key, b"there")
        try:
            read = store.get(key) == b"there"
        except KeyError:
            read = False
        listed = key in {info.key for info in store.list(key)}
    if read and listed:
        return "ok", "what was written is read and listed at once"
    how = "listed" if read else "read"
    return "error", (
        f"what was just written is not {how}: a new owner would not see the last segment and write it again;"
        " use a store that is consistent, or its consistent mode"
    )


def _clean_up(store: ObjectStore) -> tuple[Level, str]:
    left = sum(info.key != KEPT_PROBE for info in store.list("doctor/"))
    if not left:
        return "ok", "nothing is left of these probes"
    return "warning", f"{left} probe objects are left under doctor/, since nothing may be deleted; they may be removed"
