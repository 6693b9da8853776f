"""Replays and versions, wired, and the tables that follow the pointer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
import structlog

from pipeline import __version__, flow, versions
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka import KafkaBrowser
from pipeline.archive import chain_end
from pipeline.bootstrap.reading import model
from pipeline.bootstrap.wiring import browser, settings, store, warehouse
from pipeline.errors import Misconfigured
from pipeline.operate import projection
from pipeline.operate.catching_up import as_json, wait_until_archived
from pipeline.operate.comparison import Comparison, compare
from pipeline.operate.doctor_store import require_conditional_writes
from pipeline.ports import Model, ObjectStore, Partition
from pipeline.replay import Replay, version_ends
from pipeline.replay.reader import Steps
from pipeline.settings import Settings

log = structlog.get_logger(__name__)

_SEGMENTS_WAITED_FOR = 3
"""How long a rollback waits for the live segments: so many times as long as one may stay open."""


class Line:
    """What the tables and the versions are brought up to date with."""

    def __init__(self, s: Settings, looking: KafkaBrowser) -> None:
        self.settings = s
        self.browser = looking
        self.store: ObjectStore = store(s)

    def feed(self, version: str) -> None:
        """Let a version read what the log holds now, if it has not."""
        if projection.behind(self.browser, self.ends(version)):
            self.replay(version, versions.card(self.store, version), rounds=1)

    def ends(self, version: str) -> Mapping[Partition, int]:
        """Return up to where a version has read the fetched articles."""
        return version_ends(versions.view(self.store, version), self.browser, self.store)

    def live_has_passed(self, ends: Mapping[Partition, int]) -> None:
        """Return when the live segments hold all that was fetched before."""
        firsts = {p: first for topic in flow.ARCHIVED for p, (first, _) in self.browser.bounds(topic).items()}
        wait_until_archived(
            as_json(ends),
            browser=self.browser,
            archived=lambda p: chain_end(self.store, p, firsts.get(p, 0)),
            clock=SystemClock(),
            timeout=_SEGMENTS_WAITED_FOR * self.settings.segment_seconds,
        )

    def replay(
        self,
        version: str,
        card: versions.Card,
        reader: Model | None = None,
        *,
        stop: Callable[[], bool] = lambda: False,
        follow: bool = False,
        only: Sequence[int] = (),
        rounds: int = 20,
    ) -> Mapping[str, int]:
        """Go on with a version where it stands. Raises `Misconfigured` when another model made it."""
        reader = reader or model(self.settings)
        if card.model != reader.info:
            raise Misconfigured(
                f"version {version} was made with {card.model.name} {card.model.version} ({card.model.sha256[:12]}),"
                f" this is {reader.info.name} {reader.info.version} ({reader.info.sha256[:12]}): set DEPECHE_MODEL and"
                " DEPECHE_ENTITY_MODEL back, or replay into a new version"
            )
        if card.code_version != __version__:
            log.warning("other code goes on with this version", began=card.code_version, now=__version__)
        job = Replay(
            _steps(reader),
            view=versions.view(self.store, version),
            store=self.store,
            browser=self.browser,
            clock=SystemClock(),
            segment_bytes=self.settings.segment_bytes,
            segment_seconds=self.settings.segment_seconds,
            only=only or None,
        )
        return job.run(stop=stop, follow=follow, rounds=rounds)


def _steps(reader: Model) -> Steps:
    from pipeline.enrich import enrich
    from pipeline.normalise import normalise

    return Steps(
        lambda batch, states, now: normalise(batch, states=states, now=now),
        lambda batch, states, now: enrich(batch, model=reader, now=now),  # noqa: ARG005 - it remembers nothing
    )


@contextmanager
def _line() -> Iterator[Line]:
    s = settings()
    with browser(s) as looking:
        yield Line(s, looking)


def start_replay(
    version: str, *, stop: Callable[[], bool], follow: bool = False, only: Sequence[int] = ()
) -> Mapping[str, int]:
    """Replay into a version, new or begun before, and return the counts of what was stored."""
    with _line() as line:
        _require_store(line.settings, line.store)
        reader = model(line.settings)
        wanted = versions.Card(
            version=version, code_version=__version__, model=reader.info, created_at=SystemClock().now()
        )
        card = versions.declare(line.store, wanted)
        return line.replay(version, card, reader, stop=stop, follow=follow, only=only)


def version_table() -> list[dict[str, Any]]:
    """Return a row for each version."""
    with _line() as line:
        return projection.table(line.store, line.browser, line)


def compare_versions(version: str, against: str | None = None) -> Comparison:
    """Return what changes for readers who go from `against`, or what they use, to `version`."""
    archive = store(settings())
    before = projection.compared_with(archive, version, against)
    return compare((before, versions.view(archive, before)), (version, versions.view(archive, version)))


def switch_version(version: str) -> versions.Pointer:
    """Let readers use a version from their next load on."""
    with _line() as line:
        _require_store(line.settings, line.store)
        return projection.switch(line.store, version, line.browser, line, now=_now())


def roll_back() -> versions.Pointer:
    """Let readers use again what they used before the last switch, from their next load on."""
    s = settings()
    _require_store(s, store(s))
    return projection.roll_back(store(s), now=_now())


def _require_store(s: Settings, archive: ObjectStore) -> None:
    """A version's segments and the pointer are created, never overwritten, as the live ones are."""
    if s.delivery == "exactly_once":
        require_conditional_writes(archive)


def load_warehouse() -> dict[str, Any]:
    """Bring the tables up to date with the version that the pointer names, and return what was added."""
    with _line() as line:
        # The tables are open for a moment only, and again when they are written: nobody else can read them then.
        loaded: set[str] = set()
        if line.settings.warehouse_path.exists():
            with warehouse(line.settings, read_only=True) as tables:
                loaded = tables.loaded()
        planned = projection.plan(line.store, loaded, line.browser, line)
        with warehouse(line.settings) as tables:
            report = projection.bring_up_to_date(
                planned, line.store, tables, note=lambda key: log.info("loaded", segment=key)
            )
    return dict(msgspec.to_builtins(report))


def _now() -> datetime:
    return SystemClock().now()
