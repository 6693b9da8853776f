"""The parts of one run: servers behind links, workers that are started again, and what can be done to each."""

import contextlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from pipeline.adapters.kafka import KafkaBrowser
from pipeline.adapters.local_servers import SeaweedPorts, kafka_command, seaweedfs_command
from pipeline.errors import DepecheError
from tests.chaos.real import worker as worker_process
from tests.chaos.real.link import Link
from tests.chaos.real.plan import Doom, Plan
from tests.chaos.real.servers import Server, tiny_disk
from tests.fixtures.servers import ACCESS, SECRET, free_base, give_back, separate_listeners, store_at

_BUCKET = "chaos"
_RESTART_S = 0.3
_DISK_MB = {"broker": 64, "store": 48}


class Worker:
    """A worker's place, and the process that fills it now."""

    def __init__(self, step: str, name: str, dooms: Sequence[Doom]) -> None:
        self.step, self.name, self.dooms = step, name, dooms
        self.process: Any = None
        self.wake_at: float | None = None
        self.started_at = 0.0
        self.exits: list[int] = []

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.is_alive()

    def send(self, number: signal.Signals) -> None:
        # The fork server reaps it: it may be gone although nobody here was told so yet.
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stopped(self) -> bool:
        try:
            return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False


class Line:
    """Everything one run needs, on loopback."""

    def __init__(self, plan: Plan, folder: Path, broken: str = "") -> None:
        self.plan, self.folder, self._broken = plan, folder, broken
        self.chance = random.Random(plan.seed)
        self._forks: Any = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(["tests.chaos.real.worker"])
        (folder / worker_process.CLOCK).write_text("0")
        self._ports = free_base(), free_base()
        port, controller, proxy, s3_proxy = (self._ports[0] + n for n in range(4))
        ports = SeaweedPorts(self._ports[1] + 19, self._ports[1])
        self.to_broker, self.to_store = Link(proxy, port), Link(s3_proxy, ports.s3)
        self.bootstrap = f"127.0.0.1:{proxy}"
        self.environment = {
            "DEPECHE_HOME": str(folder / "home"),
            "DEPECHE_KAFKA_BOOTSTRAP": self.bootstrap,
            "DEPECHE_S3_ENDPOINT": f"http://127.0.0.1:{s3_proxy}",
            "DEPECHE_S3_BUCKET": _BUCKET,
            "DEPECHE_S3_ACCESS_KEY": ACCESS,
            "DEPECHE_S3_SECRET_KEY": SECRET,
            "DEPECHE_BATCH_RECORDS": str(plan.batch_records),
            "DEPECHE_SEGMENT_BYTES": str(plan.segment_bytes),
            "DEPECHE_SEGMENT_SECONDS": str(plan.segment_seconds),
        }
        self.broker = self._broker(port, controller)
        self.store = self._store(ports)
        self.workers: list[Worker] = []
        self.extra: list[Worker] = []

    def _broker(self, port: int, controller: int) -> Server:
        folder = self.folder / "kafka"
        command = kafka_command(folder, port, controller)
        # Clients reach it through the proxy. What a broker asks of brokers, itself among them, takes a way of its own.
        internal = self._ports[0] + 4
        separate_listeners(
            folder / "server.properties", port, internal, clients_at=self.to_broker.port, broker_at=internal
        )
        disk = tiny_disk(folder / "log", _DISK_MB["broker"]) if "fill the broker's disk" in self.plan.kinds else None
        return Server(command, self.folder / "kafka.out", self._broker_answers, disk=disk)

    def _store(self, ports: SeaweedPorts) -> Server:
        folder = self.folder / "s3"
        command = seaweedfs_command(folder, ports)
        disk = tiny_disk(folder, _DISK_MB["store"]) if "fill the store's disk" in self.plan.kinds else None
        keys = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
        return Server(command, self.folder / "s3.out", self._store_answers, disk=disk, environment=keys)

    def _broker_answers(self) -> bool:
        browser = KafkaBrowser(self.bootstrap)
        return _answers(lambda: browser.bounds("absent"), browser.close)

    def _store_answers(self) -> bool:
        return _answers(lambda: store_at(self.to_store.port, _BUCKET).ensure_bucket(), lambda: None)

    # Workers

    def start_workers(self) -> None:
        """Start as many as the plan says."""
        for step, count in self.plan.workers.items():
            for n in range(count):
                name = f"{step}-{n}"
                self.workers.append(Worker(step, name, [d for d in self.plan.dooms if d.instance == name]))
        for each in self.workers:
            self._launch(each)

    def _launch(self, worker: Worker) -> None:
        own = {"DEPECHE_INSTANCE": worker.name} if self.plan.named else {}
        log = self.folder / f"{worker.name}.log"
        dooms = [] if worker.exits else worker.dooms
        worker.process = self.fork(["run", worker.step], log, own, dooms)
        worker.wake_at, worker.started_at = None, time.monotonic()

    def fork(self, words: list[str], log: Path, more: dict[str, str] | None = None, dooms: Sequence[Doom] = ()) -> Any:
        """Start `depeche …` as a process of its own."""
        environment = self.environment | (more or {})
        return self.spawn(worker_process.start, words, environment, self.folder, log, list(dooms), self._broken)

    def spawn(self, target: Callable[..., None], *arguments: Any) -> Any:
        """Start a process that has everything imported already."""
        process = self._forks.Process(target=target, args=arguments, daemon=True)
        process.start()
        return process

    def watch(self) -> None:
        """Do what a supervisor does: start what died. And wake up whoever stopped himself long enough ago."""
        self.broker.keep_up()
        self.store.keep_up()
        for worker in self.workers:
            if not worker.alive:
                if time.monotonic() - worker.started_at > _RESTART_S:
                    worker.exits.append(worker.process.exitcode)
                    self._launch(worker)
            elif worker.wake_at is None and worker.dooms and worker.stopped():
                worker.wake_at = time.monotonic() + max(d.seconds for d in worker.dooms)
            elif worker.wake_at is not None and time.monotonic() > worker.wake_at:
                worker.send(signal.SIGCONT)
                worker.wake_at = None

    def stop_for(self, worker: Worker, seconds: float) -> None:
        """Stop a worker; `watch` wakes it up."""
        worker.send(signal.SIGSTOP)
        worker.wake_at = time.monotonic() + seconds

    def add_extra(self, choice: float, *, twin: bool) -> Worker:
        """Start one more worker beside the others; a twin bears the name of one of them."""
        like = self.workers[int(choice * len(self.workers))]
        extra = Worker(like.step, like.name if twin else f"{like.name}-extra-{len(self.extra)}", [])
        self._launch(extra)
        self.extra.append(extra)
        return extra

    def mend(self) -> None:
        """Put everything outside right: links open, disks empty, clocks true, servers up, nobody asleep."""
        self.to_broker.mode = self.to_store.mode = "open"
        (self.folder / worker_process.CLOCK).write_text("0")
        for server in (self.broker, self.store):
            if server.disk is not None:
                server.disk.clear()
            server.send(signal.SIGCONT)
            server.held = False
            server.wait()
        for extra in self.extra:
            extra.send(signal.SIGKILL)
        for worker in self.workers:
            worker.send(signal.SIGCONT)

    def end_workers(self, seconds: float = 20) -> list[str]:
        """Ask every worker to end, and return who did not end well."""
        for worker in self.workers:
            worker.send(signal.SIGCONT)
            worker.send(signal.SIGTERM)
        bad = []
        for worker in self.workers:
            deadline = time.monotonic() + seconds
            while worker.process.is_alive() and time.monotonic() < deadline:
                worker.process.join(0.5)
                worker.send(signal.SIGCONT)  # what it still does on its way out may be a step it was to stop at
            if worker.process.exitcode != 0:
                bad.append(f"{worker.name} ended with {worker.process.exitcode} when it was asked to")
                worker.send(signal.SIGKILL)
        return bad

    def close(self) -> None:
        """End whatever is left."""
        for worker in [*self.workers, *self.extra]:
            worker.send(signal.SIGKILL)
        self.broker.close()
        self.store.close()
        self.to_broker.close()
        self.to_store.close()
        for base in self._ports:
            give_back(base)


def _answers(ask: Callable[[], object], close: Callable[[], None]) -> bool:
    try:
        ask()
    except DepecheError:
        return False
    finally:
        close()
    return True
