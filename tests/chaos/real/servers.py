"""Broker and store of one run: started, killed, stopped and started again; on a small disk that can be full."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_FULL = "full"


class TinyDisk:
    """A tmpfs over a folder, in a mount namespace that a process of ours holds: needs no root, only namespaces."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder = folder
        mount = (
            f"mkdir -p {folder} {folder}.tiny && mount -t tmpfs -o size={megabytes}m tmpfs {folder}.tiny"
            f" && cp -a {folder}/. {folder}.tiny/ && mount --bind {folder}.tiny {folder}"
            " && echo ready && exec sleep 3600"
        )
        self._holder = subprocess.Popen(["unshare", "-r", "-m", "sh", "-c", mount], stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise OSError("this machine gives no small disk")

    def inside(self, command: list[str]) -> list[str]:
        """Return the command that runs `command` where the small disk is."""
        return ["nsenter", "--preserve-credentials", "-U", "-m", "-t", str(self._holder.pid), *command]

    def fill(self) -> None:
        """Leave no byte."""
        seen = Path(f"/proc/{self._holder.pid}/root{self._folder}/{_FULL}")
        with contextlib.suppress(OSError), seen.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(2**16))

    def clear(self) -> None:
        """Give the room back."""
        Path(f"/proc/{self._holder.pid}/root{self._folder}/{_FULL}").unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount: the holder ends, and the namespace with it."""
        self._holder.kill()
        self._holder.wait()


def tiny_disk(folder: Path, megabytes: int) -> TinyDisk | None:
    """Return a small disk, or None on a machine that gives none."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return None
    try:
        return TinyDisk(folder, megabytes)
    except OSError:
        return None


class Server:
    """One server process, which is started again when it dies of what was done to it."""

    def __init__(
        self,
        command: list[str],
        log: Path,
        ready: Callable[[], bool],
        *,
        disk: TinyDisk | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = disk.inside(command) if disk else command
        self.disk = disk
        self._log, self._ready = log, ready
        self._environment = os.environ | (environment or {})
        self.held = False
        """Whether it shall stay down until somebody lets it go."""
        self.start()

    def start(self) -> None:
        """Start it, without waiting until it answers."""
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdout=out, stderr=out, start_new_session=True
            )

    def wait(self, seconds: float = 60) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + seconds
        while not self._ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer: {self._log.read_text(errors='replace')[-1500:]}")
            self.keep_up()
            time.sleep(0.1)

    def keep_up(self) -> None:
        """Start it again if it died."""
        if not self.held and self.process.poll() is not None:
            self.start()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and all its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def close(self) -> None:
        """End it for good."""
        self.held = True
        self.send(signal.SIGKILL)
        if self.disk is not None:
            self.disk.close()
