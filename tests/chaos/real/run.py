"""One run: a line, its inputs, its troubles; then everything is mended, and the line has to finish by itself."""

import contextlib
import hashlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from pipeline import bootstrap
from pipeline.errors import DepecheError
from tests.chaos.real.inputs import Publisher, inputs, poison
from tests.chaos.real.judge import judge
from tests.chaos.real.line import Line
from tests.chaos.real.link import CUT, MUTE, OPEN, SLOW
from tests.chaos.real.plan import SPAN_S, Plan, Trouble
from tests.chaos.real.worker import DEATHS, leave_transaction_open

_FINISH_S = 180.0
"""A line that has everything it needs again must be through after this long, or it hangs."""
_MEND_AFTER_S = 45.0
"""A line that is not through by then is looked at as an operator would: `depeche mend` writes the ends of transactions
that Kafka 4.3.1 itself forgets at a restart (docs/decisions/0009)."""
_BATCHES = 12
_WAVE_S = 0.8


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run came to; `wrong` is empty where nothing was lost or doubled."""

    seed: int
    inputs: int
    wrong: list[str]
    troubles: list[str]
    dooms: list[str]
    exits: dict[str, int]
    tracebacks: list[str]
    caught_up_s: float
    """From the end of the last trouble until everything was in segments."""
    seconds: float
    skipped: list[str] = []
    """Troubles that this machine cannot make."""
    code: str = ""
    """SHA-256 of the sources that were run, shortened; empty where it was not noted."""
    mended: int = 0
    """Ends of transactions that the broker never wrote and `depeche mend` did."""


def code() -> str:
    """Return the hash of the product's sources and of those that try it."""
    root = Path(__file__).parent.parent.parent.parent
    found = sorted(file for folder in ("pipeline", "tests/chaos/real") for file in (root / folder).rglob("*.py"))
    whole = hashlib.sha256()
    for file in found:
        whole.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return whole.hexdigest()[:12]


def run(plan: Plan, *, keep: Path | None = None, broken: str = "", patience: float = _FINISH_S) -> Result:
    """Make the run of a plan, with workers that are `broken` in a way of `worker.MUTANTS`.

    Where it goes wrong, the workers' logs and the broker's are kept below `keep`.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-"))
    began = time.monotonic()
    line = Line(plan, folder, broken)
    try:
        result = _Run(line, began, patience).result()
        if keep is not None and (result.wrong or result.tracebacks):
            shutil.copytree(
                folder, keep / str(plan.seed), dirs_exist_ok=True, ignore=shutil.ignore_patterns("s3", "*index")
            )
        return result
    finally:
        line.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Run:
    def __init__(self, line: Line, began: float, patience: float) -> None:
        self.line, self.plan, self._began, self._patience = line, line.plan, began, patience
        self.done: list[str] = []
        self._undo: list[tuple[float, Callable[[], None]]] = []
        self.skipped: list[str] = []
        self.mended = 0

    def result(self) -> Result:
        os.environ.update(self.line.environment)
        self.line.broker.wait()
        self.line.store.wait()
        bootstrap.prepare(bootstrap.settings())
        publisher = Publisher(self.line.bootstrap)
        self.line.start_workers()
        self._live_through(publisher)
        publisher.finish(self.line.watch)
        mended = time.monotonic()
        wrong = self._finish()
        caught_up = time.monotonic() - mended
        wrong += self.line.end_workers()
        if not wrong:
            wrong = judge(publisher.written, self.line.folder)
        deaths = self.line.folder / DEATHS
        return Result(
            seed=self.plan.seed,
            inputs=len(publisher.written),
            wrong=wrong,
            troubles=self.done,
            dooms=[": ".join(d.split("\t")[::2]) for d in deaths.read_text().splitlines()] if deaths.exists() else [],
            exits={str(code): n for code, n in Counter(e for w in self.line.workers for e in w.exits).items()},
            tracebacks=_tracebacks(self.line.folder),
            caught_up_s=round(caught_up, 1),
            seconds=round(time.monotonic() - self._began, 1),
            skipped=self.skipped,
            code=code(),
            mended=self.mended,
        )

    def _live_through(self, publisher: Publisher) -> None:
        """Write the inputs and let the troubles happen, each at its time."""
        all_of_them = inputs(self.plan.seed, self.plan.inputs)
        size = -(-len(all_of_them) // _BATCHES)
        batches = [(n * SPAN_S / _BATCHES, all_of_them[n * size : (n + 1) * size]) for n in range(_BATCHES)]
        troubles = list(self.plan.troubles)
        began = time.monotonic()
        while batches or troubles or self._undo:
            now = time.monotonic() - began
            while batches and batches[0][0] <= now:
                publisher.write(batches.pop(0)[1])
            while troubles and troubles[0].at <= now:
                self._begin(troubles.pop(0), now, publisher)
            for due in [each for each in self._undo if each[0] <= now]:
                self._undo.remove(due)
                due[1]()
            self.line.watch()
            time.sleep(0.02)
        self.line.mend()

    def _finish(self) -> list[str]:
        """Wait until everything is in segments; return why not, if it is not."""
        failure: list[str] = []

        def wait() -> None:
            try:
                bootstrap.wait_until_archived(bootstrap.fetched_ends(), self._patience)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run has failed
                failure.append(f"never finished: {error}")

        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        operator = threading.Timer(_MEND_AFTER_S, self._mend)
        operator.daemon = True
        operator.start()
        while waiting.is_alive():
            self.line.watch()
            waiting.join(0.1)
        operator.cancel()
        return failure

    def _mend(self) -> None:
        with contextlib.suppress(DepecheError):
            self.mended += sum(each.wrote != "nothing" for each in bootstrap.mended())

    # Troubles

    def _begin(self, trouble: Trouble, now: float, publisher: Publisher) -> None:
        line = self.line
        worker = line.workers[int(trouble.choice * len(line.workers))]
        end = now + trouble.seconds
        if trouble.kind.startswith("fill") and self._disk(trouble.kind) is None:
            self.skipped.append(trouble.kind)  # this machine gives no small disk
            return
        self.done.append(trouble.kind)
        match trouble.kind:
            case "kill a worker":
                worker.send(signal.SIGKILL)
            case "stop a worker":
                line.stop_for(worker, trouble.seconds)
            case "ask a worker to end":
                worker.send(signal.SIGTERM)
            case "start a worker's twin":
                twin = line.add_extra(trouble.choice, twin=True)
                self._undo.append((end, lambda: twin.send(signal.SIGKILL)))
            case "workers come and go":
                self._come_and_go(trouble, now)
            case "kill the broker" | "kill the store" | "restart the broker" | "stop the broker" | "stop the store":
                self._to_server(trouble, end)
            case "clocks jump":
                (line.folder / "clock").write_text(str((trouble.choice - 0.5) * 2 * 86_400))
                self._undo.append((end, lambda: _write(line.folder / "clock", "0")))
            case "poison":
                publisher.write(poison(line.chance))
            case "leave a transaction open":
                line.spawn(leave_transaction_open, line.bootstrap, f"chaos-open-{trouble.at}")
            case "kill a load":
                load = line.fork(["load"], line.folder / "load.log")
                self._undo.append((now + trouble.choice, load.kill))
            case _ if trouble.kind.startswith("fill"):
                disk: Any = self._disk(trouble.kind)
                disk.fill()
                self._undo.append((end, disk.clear))
            case _:
                self._to_link(trouble, end)

    def _disk(self, kind: str) -> Any:
        return (self.line.broker if "broker" in kind else self.line.store).disk

    def _come_and_go(self, trouble: Trouble, now: float) -> None:
        """Let one more worker come every so often, stay for a moment, and go: asked to, or killed."""
        for wave in range(max(2, int(trouble.seconds / _WAVE_S))):
            goes = signal.SIGTERM if wave % 2 else signal.SIGKILL
            choice = (trouble.choice + wave / 3) % 1

            def come(choice: float = choice, goes: signal.Signals = goes, wave: int = wave) -> None:
                extra = self.line.add_extra(choice, twin=False)
                self._undo.append((now + (wave + 2) * _WAVE_S, lambda: extra.send(goes)))

            self._undo.append((now + wave * _WAVE_S, come))

    def _to_server(self, trouble: Trouble, end: float) -> None:
        server = self.line.broker if "broker" in trouble.kind else self.line.store
        if trouble.kind.startswith("stop"):
            server.send(signal.SIGSTOP)
            self._undo.append((end, lambda: server.send(signal.SIGCONT)))
            return
        server.held = True
        server.send(signal.SIGTERM if "restart" in trouble.kind else signal.SIGKILL)

        def again() -> None:
            server.held = False

        self._undo.append((end, again))

    def _to_link(self, trouble: Trouble, end: float) -> None:
        link = self.line.to_broker if "broker" in trouble.kind else self.line.to_store
        link.mode = {"cut": CUT, "slow": SLOW, "mute": MUTE}[trouble.kind.split()[0]]

        def open_again() -> None:
            link.mode = OPEN

        self._undo.append((end, open_again))


def _write(file: Path, text: str) -> None:
    file.write_text(text)


def _tracebacks(folder: Path) -> list[str]:
    """Return the last line of each traceback in the logs: none is meant to reach anybody."""
    found = []
    for log in folder.glob("*.log"):
        with contextlib.suppress(OSError):
            for part in log.read_text(errors="replace").split("Traceback (most recent call last)")[1:]:
                last = next((x for x in part.splitlines()[1:] if x and not x.startswith((" ", "{"))), "?")
                found.append(f"{log.stem}: {last[:200]}")
    return found
