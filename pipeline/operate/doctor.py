"""Is everything there, and does it keep its promises? One finding per thing looked at, with the remedy."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal
from uuid import uuid4

import msgspec

from pipeline import flow
from pipeline.errors import DepecheError
from pipeline.ports import LogBrowser, ObjectStore

Level = Literal["ok", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it stands, and what to do about it."""

    subject: str
    level: Level
    detail: str


def examine(subject: str, look: Callable[[], str]) -> Finding:
    """Return what `look` says, or its error, as a finding."""
    try:
        return Finding(subject, "ok", look())
    except DepecheError as error:
        return Finding(subject, "error", str(error))


def topics(browser: LogBrowser) -> str:
    """Tell that every topic is there. Raises `DepecheError` naming those that are missing."""
    wanted = (*flow.FACTS, *flow.REJECTED, *flow.STATES)
    missing = [topic for topic in wanted if not browser.bounds(topic)]
    if missing:
        raise DepecheError(f"missing topics: {', '.join(missing)}; `depeche up` or your administrator creates them")
    return f"{len(wanted)} topics are there"


def conditional_writes(store: ObjectStore) -> str:
    """Tell that the store refuses to overwrite. Raises `DepecheError` where it does not: exactly-once rests on it."""
    key = f"doctor/{uuid4().hex}"
    if not store.create(key, b"first"):
        raise DepecheError(f"the store says that {key} exists, a name nobody used")
    if store.create(key, b"second") or store.get(key) != b"first":
        raise DepecheError(
            "the store ignores If-None-Match: two writers could both close a segment;"
            " exactly-once cannot be promised on it: use a store with conditional writes"
        )
    if key not in {info.key for info in store.list("doctor/")}:
        raise DepecheError("the store does not list what was just written; the archive needs read-after-write")
    return "conditional writes and read-after-write hold: the archive is exactly-once"


def settings_found(values: Mapping[str, object], set_by_environment: Iterable[str]) -> list[Finding]:
    """Return each setting with where its value comes from; a secret shows only that it is set."""
    given = set(set_by_environment)
    return [
        Finding(f"DEPECHE_{name.upper()}", "ok", f"{value} ({'environment' if name in given else 'default'})")
        for name, value in values.items()
    ]


def secret_files(modes: Mapping[str, int]) -> list[Finding]:
    """Return whether each file of a secret (variable → its mode) is closed to other users."""
    return [
        Finding(variable, "warning", "every user of this machine may read the file: chmod o-rwx it")
        if mode & 0o007
        else Finding(variable, "ok", "the file is closed to other users")
        for variable, mode in modes.items()
    ]
