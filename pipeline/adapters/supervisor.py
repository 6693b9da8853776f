"""Local services and workers under supervisord: started, watched, stopped, with no orphan left.

State is under one folder, `home`: the servers' data, logs, the rendered supervisord.conf, and
`secrets.json` (mode 600), made once, which holds every password that is not in the environment.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Any
from xmlrpc.client import Error as RpcError
from xmlrpc.client import ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from pipeline.adapters.local_servers import SeaweedPorts, infra_folder, kafka_command, seaweedfs_command
from pipeline.errors import Misconfigured, RetryLater
from pipeline.ports import Clock
from pipeline.settings import Settings, secret_files

WORKERS = ("worker-normalise", "worker-enrich", "worker-archive")
AIRFLOW = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor")
Progress = Callable[[str], None]


def local_secrets(home: Path) -> dict[str, str]:
    """Return the passwords of the local services, made on the first call and readable by their owner only."""
    file = home / "secrets.json"
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        made = {
            "s3_access_key": secrets.token_hex(10),
            "s3_secret_key": secrets.token_hex(20),
            "airflow_password": secrets.token_urlsafe(12),
            "airflow_jwt_secret": secrets.token_hex(32),
            "airflow_api_secret_key": secrets.token_hex(16),
        }
        draft = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(made, out)
        draft.replace(file)
    found: dict[str, str] = json.loads(file.read_text())
    return found


def ports_of(settings: Settings) -> dict[str, list[int]]:
    """Return which ports `up` will take, by the setting that moves them."""
    return {
        "DEPECHE_KAFKA_PORT": [settings.kafka_port, settings.kafka_port + 1],
        "DEPECHE_S3_PORT": [settings.s3_port],
        "DEPECHE_SEAWEED_PORT": SeaweedPorts(settings.s3_port, settings.seaweed_port).all()[1:],
        "DEPECHE_FEED_PORT": [settings.feed_port],
        "DEPECHE_AIRFLOW_PORT": [settings.airflow_port + n for n in range(3)],
    }


def taken_ports(settings: Settings) -> dict[str, list[int]]:
    """Return the ports of `ports_of` that somebody listens on already."""
    return {name: busy for name, ports in ports_of(settings).items() if (busy := [p for p in ports if _taken(p)])}


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class LocalServices:
    """Everything `depeche up` starts, as one supervisord and its children."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.home = settings.home.absolute()
        self._logs, self._run = self.home / "logs", self.home / "run"

    # A Unix socket's path may have 107 bytes; a state folder may lie deeper than that.
    @property
    def _socket(self) -> Path:
        near = self._run / "supervisor.sock"
        if len(str(near)) <= 100:
            return near
        return Path(tempfile.gettempdir()) / f"depeche-{sha256(str(near).encode()).hexdigest()[:16]}.sock"

    @property
    def running(self) -> bool:
        """Tell whether our supervisord answers."""
        return self._socket.exists() and self._try_call("getState") is not None

    def states(self) -> dict[str, str]:
        """Return name → state (RUNNING, STOPPED, BACKOFF …) of each process; empty when nothing is up."""
        rows = self._try_call("getAllProcessInfo") if self._socket.exists() else None
        return {row["name"]: row["statename"] for row in rows or ()}

    def environment(self) -> dict[str, str]:
        """Return the environment of every process: settings made absolute, secrets, and Airflow's own."""
        return {**os.environ, **self._line_environment(), **self._airflow_environment()}

    def launch(self, progress: Progress) -> None:
        """Start supervisord with Kafka, S3 and the demo feed; it is up when this returns, they may not be."""
        for folder in (self._logs, self._run):
            folder.mkdir(parents=True, exist_ok=True)
        conf = self._run / "supervisord.conf"
        conf.write_text(self._rendered(), encoding="utf-8")
        progress("starting Kafka, S3 and the demo feed")
        started = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(conf)],
            env=self.environment(),
            cwd=_root(),
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode != 0:
            raise RetryLater(f"supervisord did not start: {started.stdout}{started.stderr}".strip())
        self.wait_for("supervisord", lambda: self.running, 10)

    def start(self, names: tuple[str, ...]) -> None:
        """Start these processes; those that run already stay as they are."""
        states = self.states()
        for name in names:
            if states.get(name) not in {"RUNNING", "STARTING"}:
                self._call("startProcess", name, False)

    def migrate_airflow(self) -> "subprocess.Popen[bytes]":
        """Begin to create or upgrade Airflow's database; the caller waits for the process."""
        airflow_home = self.home / "airflow"
        airflow_home.mkdir(parents=True, exist_ok=True)
        password = local_secrets(self.home)["airflow_password"]
        users = airflow_home / "passwords.json"
        with os.fdopen(os.open(users, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump({self._settings.airflow_user: password}, out)
        log = (self._logs / "airflow-migrate.log").open("wb")
        return subprocess.Popen(
            [str(_beside_python("airflow")), "db", "migrate"], env=self.environment(), stdout=log, stderr=log
        )

    def shut_down(self, progress: Progress) -> bool:
        """Stop everything and wait until it is gone; tell whether there was anything to stop."""
        if not self.running:
            return False
        pid = int((self._run / "supervisord.pid").read_text())
        progress("stopping workers, Airflow, S3 and Kafka")
        self._call("shutdown")
        self.wait_for("the end of supervisord", lambda: not _alive(pid), 60)
        return True

    def wait_for(self, what: str, ready: Callable[[], bool], seconds: float) -> None:
        """Return when `ready()` is true. Raises `RetryLater` when that takes longer, naming the logs."""
        deadline = self._clock.monotonic() + seconds
        while not ready():
            if self._clock.monotonic() > deadline:
                raise RetryLater(f"{what} was not ready after {seconds:.0f} s; its log is in {self._logs}")
            self._clock.sleep(0.1)

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def _try_call(self, method: str) -> Any:
        try:
            return self._call(method)
        except (OSError, RpcError):
            return None

    def _rendered(self) -> str:
        s = self._settings
        ports = SeaweedPorts(s.s3_port, s.seaweed_port)
        template = Template((infra_folder() / "supervisor" / "supervisord.conf").read_text(encoding="utf-8"))
        return template.substitute(
            socket=self._socket,
            logs=self._logs,
            run=self._run,
            root=_root(),
            python=sys.executable,
            airflow=_beside_python("airflow"),
            feed_port=s.feed_port,
            kafka_command=_quoted(kafka_command(self.home / "kafka", s.kafka_port, s.kafka_port + 1)),
            seaweedfs_command=_quoted(seaweedfs_command(self.home / "seaweedfs", ports)),
        )

    def _line_environment(self) -> Mapping[str, str]:
        s, known = self._settings, local_secrets(self.home)
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_root()), os.environ.get("PYTHONPATH")])),
            "AWS_ACCESS_KEY_ID": known["s3_access_key"],
            "AWS_SECRET_ACCESS_KEY": known["s3_secret_key"],
            **{variable: str(file.absolute()) for variable, file in _files(s)},
            "DEPECHE_HOME": str(self.home),
            "DEPECHE_SOURCES": str(s.sources.absolute()),
            "DEPECHE_MODEL": str(s.model.absolute()),
            "DEPECHE_WAREHOUSE": str(s.warehouse_path.absolute()),
            "DEPECHE_KAFKA_BOOTSTRAP": s.kafka_bootstrap,
            "DEPECHE_S3_ENDPOINT": s.s3_endpoint,
            "DEPECHE_FEED_URL": s.feed_url,
            "DEPECHE_AIRFLOW_URL": s.airflow_url,
            "DEPECHE_SEGMENT_SECONDS": os.environ.get("DEPECHE_SEGMENT_SECONDS", "3"),
        }

    def _airflow_environment(self) -> Mapping[str, str]:
        s, known, home = self._settings, local_secrets(self.home), self.home / "airflow"
        return {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(_root() / "dags"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{s.airflow_user}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{s.airflow_port}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(s.airflow_port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{s.airflow_port}",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": known["airflow_api_secret_key"],
            "AIRFLOW__API_AUTH__JWT_SECRET": known["airflow_jwt_secret"],
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(s.airflow_port + 1),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(s.airflow_port + 2),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }


def _files(s: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the variables that name files, which the children look for from another folder."""
    yield from ((variable, file) for _, variable, file in secret_files())
    for name in ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file", "s3_ca_file"):
        if (file := getattr(s, name)) is not None:
            yield f"DEPECHE_{name.upper()}", file


def _root() -> Path:
    """Return the folder that holds `dags/`, `seeds/` and the package: the checkout."""
    root = Path(__file__).parent.parent.parent
    if not (root / "dags").is_dir():
        raise Misconfigured("local services need a checkout of Dépêche: dags/ and seeds/ are not in the package")
    return root


def _quoted(command: list[str]) -> str:
    """Return a command for supervisord: a blank would end an argument, a percent sign begin an expansion."""
    return " ".join(f'"{word}"' if " " in word else word for word in command).replace("%", "%%")


def _beside_python(name: str) -> Path:
    return Path(sys.executable).parent / name


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
