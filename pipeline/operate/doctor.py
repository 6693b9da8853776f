"""Is everything there, and does it keep its promises? One finding per thing looked at, with the remedy."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

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


def bucket(store: ObjectStore, name: str) -> str:
    """Tell that the bucket can be read. Raises `DepecheError`."""
    next(iter(store.list("doctor/")), None)
    return f"bucket {name} answers"


def promise(found: Iterable[Finding], *, replicas: int, in_sync: int, delivery: str) -> Finding:
    """Return in plain words what holds from source to store, given what was found of log and store.

    `replicas` and `in_sync` are the fewest of any topic; 0 where they are not known.
    """
    errors = {finding.subject for finding in found if finding.level == "error"}
    log_wrong = sorted(s for s in errors if s.startswith(("Kafka", "topic ")))
    store_wrong = sorted(s for s in errors if s.startswith("S3"))
    if log_wrong or store_wrong:
        where = ", ".join([*log_wrong, *store_wrong])
        careless = "S3 If-None-Match" in store_wrong and not log_wrong
        if careless and delivery == "at_least_once":
            return Finding(
                "promise",
                "warning",
                "exactly once from log to log; at least once from log to store, as DEPECHE_DELIVERY says: nothing is"
                " lost, an article may stand twice",
            )
        return Finding("promise", "error", f"nothing is promised before this is mended: {where}")
    words = "exactly once from log to log and from log to store"
    level: Level = "ok"
    if delivery == "at_least_once":
        level = "warning"
        words += "; the store could carry it, so unset DEPECHE_DELIVERY: as it is, no worker checks that"
    if replicas == 1:
        return Finding("promise", "warning", f"{words}; with one replica, a lost disk loses the log")
    if in_sync < 2:
        return Finding("promise", "warning", f"{words}; a record stands on one broker at first and can die with it")
    return Finding("promise", level, f"{words}; {in_sync} brokers have every record before it counts as written")


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
