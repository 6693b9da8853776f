"""Real servers and real worker processes for the delivery figures, all on loopback, ended with the run."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from pipeline import bootstrap
from pipeline.adapters.local_servers import SeaweedPorts
from pipeline.settings import Settings
from tests.fixtures.servers import ACCESS, SECRET, free_base, free_ports, start_kafka, start_seaweedfs

_PATIENCE_S = 600.0
_WORKER = ("-m", "pipeline.cli", "run")


class Usage(NamedTuple):
    """What a process cost from its start to its end."""

    cpu_s: float
    peak_mb: float


class Stage:
    """A broker and an S3 server, and the settings that lead to them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kafka_ports = free_ports(2)
        base = free_base(20)
        self._s3 = SeaweedPorts(base + 19, base)
        self._running: list[subprocess.Popen[bytes]] = []
        self.start_broker()
        self._running.append(start_seaweedfs(folder / "s3", self._s3))
        self.settings = self.with_bucket("depeche")

    def start_broker(self) -> None:
        """Start the broker, or start it again on what it left."""
        self._kafka = start_kafka(self._folder, *self._kafka_ports)
        self._running.append(self._kafka)

    def kill_broker(self) -> None:
        """SIGKILL it."""
        kill(self._kafka)

    def with_bucket(self, bucket: str) -> Settings:
        """Return settings with an archive of its own, prepared."""
        settings = Settings(
            home=self._folder,
            kafka_bootstrap=f"127.0.0.1:{self._kafka_ports[0]}",
            s3_endpoint=f"http://127.0.0.1:{self._s3.s3}",
            s3_bucket=bucket,
            s3_access_key=SecretStr(ACCESS),
            s3_secret_key=SecretStr(SECRET),
        )
        bootstrap.prepare(settings)
        return settings

    def start(self, settings: Settings, *arguments: str, **more: str) -> "subprocess.Popen[bytes]":
        """Start Python with these arguments, and with settings of `DEPECHE_…` in `more`."""
        environment = os.environ | {
            "DEPECHE_HOME": str(self._folder),
            "DEPECHE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "DEPECHE_S3_ENDPOINT": settings.s3_endpoint,
            "DEPECHE_S3_BUCKET": settings.s3_bucket,
            "DEPECHE_S3_ACCESS_KEY": ACCESS,
            "DEPECHE_S3_SECRET_KEY": SECRET,
            **{f"DEPECHE_{name}": value for name, value in more.items()},
        }
        log = (self._folder / "workers.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, *arguments], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        self._running.append(process)
        return process

    def worker(self, settings: Settings, step: str, **more: str) -> "subprocess.Popen[bytes]":
        """Start a worker as its supervisor would."""
        return self.start(settings, *_WORKER, step, INSTANCE=f"{step}-0", **more)

    def cost(self, settings: Settings, arguments: Sequence[str], **more: str) -> Usage:
        """Run Python to its end and return what it cost."""
        process = self.start(settings, *arguments, **more)
        peak, ended = 0.0, 0
        while not ended:
            # Not `ru_maxrss`: that begins with what this process held when it forked.
            peak = max(peak, _peak_mb(process.pid))
            time.sleep(0.05)
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{self.log()}")
        return Usage(used.ru_utime + used.ru_stime, peak)

    def log(self) -> str:
        """Return the end of what the processes said."""
        return (self._folder / "workers.log").read_text(errors="replace")[-3000:]

    def end(self) -> None:
        """End whatever is still running."""
        for process in self._running:
            kill(process)


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL a process and what it started, and wait until it is gone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait(ready: Callable[[], bool], what: str) -> float:
    """Return after how many seconds `ready()` was true. Raises RuntimeError after ten minutes."""
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > _PATIENCE_S:
            raise RuntimeError(f"still waiting for {what} after {_PATIENCE_S:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Yield servers of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        opened = Stage(Path(scratch))
        try:
            yield opened
        finally:
            opened.end()
