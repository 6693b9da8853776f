"""Which version the tables hold, and how they come to hold another one without a mix and without a resurrection.

The pointer says which version readers use. The tables say themselves which one they hold, by the keys of the
segments in them. They are replaced only by a version that has read everything the tables have seen: a newer
withdrawal that they honour already is then honoured by what takes their place.
"""

from collections.abc import Callable, Mapping, Set
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from pipeline import progress, versions
from pipeline.errors import DepecheError, RetryLater
from pipeline.flow import ENRICHED, FETCHED, group
from pipeline.load import LoadReport, load, replace
from pipeline.operate.catching_up import as_json
from pipeline.ports import LogBrowser, ObjectStore, Partition, Rebuilt, Warehouse

_MOST_BEHIND = 1_000
"""Records a version may still have to read when it is switched to; `depeche load` reads them first."""

Ends = Mapping[Partition, int]


class Tables(Warehouse, Rebuilt, Protocol):
    """What loads segments one by one and can be replaced whole."""


class Line(Protocol):
    """What is asked of the line while its tables are brought up to date."""

    def feed(self, version: str) -> None:
        """Let a version read what the log holds now; the live one is fed by its workers."""

    def ends(self, version: str) -> Ends:
        """Return up to where a version other than the live one has read the fetched articles."""

    def live_has_passed(self, ends: Ends) -> None:
        """Return when all that was fetched before is in the live segments. Raises `RetryLater` if it is not soon."""


class Plan(NamedTuple):
    """What the tables are to hold, and what they held when it was decided."""

    wanted: str
    loaded: Set[str]


def plan(store: ObjectStore, loaded: Set[str], browser: LogBrowser, line: Line) -> Plan:
    """Return what tables that have `loaded` these segments are to hold, when that version is ready for them.

    It is ready when it has read all that they have seen. What they have seen is asked first, so that a busy line is
    not waited for in vain. Raises `RetryLater` while the version is not ready.
    """
    wanted, held = versions.current(store).version, versions.held(loaded)
    seen: Ends = {}
    if held not in (None, wanted):
        seen = browser.committed(group("normalise"), FETCHED) if held == versions.LIVE else line.ends(held or "")
    if wanted != versions.LIVE:
        line.feed(wanted)
        left = progress.remaining(browser, line.ends(wanted), seen)
        if left:
            raise RetryLater(
                f"version {wanted} has not read {left} records that the tables know from version {held}, which they"
                f" keep until it has: `depeche replay start --version {wanted}`"
            )
    elif seen:
        line.live_has_passed(seen)
    return Plan(wanted, loaded)


def bring_up_to_date(
    planned: Plan, store: ObjectStore, tables: Tables, *, note: Callable[[str], None] = lambda _: None
) -> LoadReport:
    """Load what the planned version has closed; where the tables hold another version, replace them whole.

    Raises `RetryLater` when another load changed what is to be replaced.
    """
    loaded = tables.loaded()
    held = versions.held(loaded)
    if held == planned.wanted or (held is None and planned.wanted == versions.LIVE):
        return load(store, tables, topic=ENRICHED, version=planned.wanted, progress=note)
    if loaded != planned.loaded:
        raise RetryLater("another load changed the tables meanwhile; run `depeche load` again")
    return replace(store, tables, topic=ENRICHED, version=planned.wanted, progress=note)


def switch(store: ObjectStore, version: str, browser: LogBrowser, line: Line, *, now: datetime) -> versions.Pointer:
    """Let readers use `version`. Raises `DepecheError` if it is none, far behind, or if another switch came first."""
    seen = versions.current(store)
    if version == seen.version:
        raise DepecheError(f"readers use version {version} already")
    if version != versions.LIVE:
        versions.card(store, version)
        left = behind(browser, line.ends(version))
        if left > _MOST_BEHIND:
            raise DepecheError(
                f"version {version} still has to read more than {_MOST_BEHIND} records:"
                f" `depeche replay start --version {version}` goes on where it stands"
            )
    return versions.switch(store, version, seen=seen, now=now)


def roll_back(store: ObjectStore, *, now: datetime) -> versions.Pointer:
    """Let readers use the version they used before the last switch. Raises `DepecheError` if there was none."""
    seen = versions.current(store)
    if seen.generation == 0:
        raise DepecheError("nothing was switched yet: readers use the live version")
    return versions.switch(store, seen.previous, seen=seen, now=now)


def compared_with(store: ObjectStore, version: str, against: str | None) -> str:
    """Return what a version is compared with: `against`, or what readers use, or used before it.

    Raises `DepecheError` where one of the two is no version or both are one.
    """
    pointer = versions.current(store)
    other = against or (pointer.previous if pointer.version == version else pointer.version)
    if other == version:
        raise DepecheError(f"there is nothing to compare {version} with; name another version with --against")
    for name in {version, other} - {versions.LIVE}:
        versions.card(store, name)
    return other


def behind(browser: LogBrowser, ends: Ends) -> int:
    """Return how many records of the log a version has not read, counting a little further than a switch allows."""
    return progress.remaining(browser, ends, progress.ends(browser, FETCHED), most=_MOST_BEHIND + 1)


def table(store: ObjectStore, browser: LogBrowser, line: Line) -> list[dict[str, Any]]:
    """Return a row for each version: what made it, where it stands, and whether readers use it."""
    used = versions.current(store).version
    rows: list[dict[str, Any]] = [_row(versions.LIVE, used, None, None, "")]
    for name, card in versions.cards(store).items():
        ends = line.ends(name)
        rows.append(_row(name, used, card, behind(browser, ends), ", ".join(map(str, as_json(ends).values()))))
    return rows


def _row(name: str, used: str, card: versions.Card | None, left: int | None, ends: str) -> dict[str, Any]:
    return {
        "version": name,
        "readers": "use it" if name == used else "",
        "behind": left,
        "ends": ends,
        "code": card.code_version if card else None,
        "model": f"{card.model.name} {card.model.version}" if card else None,
        "created_at": card.created_at.isoformat(timespec="seconds") if card else None,
    }
