"""Local services: started in the right order, each waited for, and stopped."""

from collections.abc import Callable

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.supervisor import local_secrets
from pipeline.bootstrap.questions import airflow_health
from pipeline.bootstrap.wiring import prepare, settings
from pipeline.errors import Misconfigured, RetryLater


def services_up(say: Callable[[str], None]) -> None:
    """Start what is not running yet: servers, topics and bucket, workers, Airflow. Raises `Misconfigured`."""
    import shutil

    import psutil

    from pipeline.adapters.supervisor import AIRFLOW, WORKERS, LocalServices, taken_ports
    from pipeline.operate.preflight import obstacles

    s = settings()
    local = LocalServices(s, SystemClock())
    local_secrets(s.home)
    if not local.running:
        in_the_way = obstacles(
            taken_ports=taken_ports(s),
            memory_free=psutil.virtual_memory().available,
            disk_free=shutil.disk_usage(s.home).free,
            folder=str(s.home.absolute()),
        )
        if in_the_way:
            raise Misconfigured(" ".join(in_the_way))
        local.launch(say)
    migration = None if "RUNNING" in {local.states().get(name) for name in AIRFLOW} else local.migrate_airflow()
    local.wait_for("Kafka and S3", lambda: _answers(lambda: prepare(s)), 60)
    say("Kafka and S3 are up; starting the workers")
    local.start(WORKERS)
    if migration is not None:
        say("preparing Airflow's database")
        if migration.wait() != 0:
            raise RetryLater(f"`airflow db migrate` failed; its log is in {local.home / 'logs'}")
    say("starting Airflow")
    local.start(AIRFLOW)
    local.wait_for("Airflow", lambda: _answers(lambda: airflow_health(s)), 120)
    say(f"Airflow is up at {s.airflow_url}")


def _answers(ask: Callable[[], object]) -> bool:

    try:
        ask()
    except RetryLater:
        return False
    return True


def services_down(say: Callable[[str], None]) -> bool:
    """Stop everything that `services_up` started; tell whether there was anything."""
    from pipeline.adapters.supervisor import LocalServices

    return LocalServices(settings(), SystemClock()).shut_down(say)
