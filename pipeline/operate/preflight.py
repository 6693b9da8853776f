"""What is looked at before anything is started: one sentence and the remedy for each thing in the way."""

from collections.abc import Mapping, Sequence

MIB = 2**20
# All services together stay below 4 GB resident (benchmarks/); Kafka's log and Airflow's database are small.
MEMORY_NEEDED = 4_000 * MIB
DISK_NEEDED = 2_000 * MIB


def obstacles(*, taken_ports: Mapping[str, Sequence[int]], memory_free: int, disk_free: int, folder: str) -> list[str]:
    """Return what would make `up` fail; empty when nothing is in the way. Sizes in bytes."""
    out = [
        f"Port {', '.join(map(str, ports))} is taken by another program: stop it, or set {name} to a free port."
        for name, ports in taken_ports.items()
    ]
    if memory_free < MEMORY_NEEDED:
        out.append(
            f"Only {memory_free // MIB} MiB of memory are free and the services need {MEMORY_NEEDED // MIB}:"
            " stop other programs, or point DEPECHE_KAFKA_BOOTSTRAP and DEPECHE_S3_ENDPOINT at servers elsewhere."
        )
    if disk_free < DISK_NEEDED:
        out.append(
            f"Only {disk_free // MIB} MiB are free in {folder} and {DISK_NEEDED // MIB} are needed:"
            " free some, or set DEPECHE_HOME to a folder on another disk."
        )
    return out
