"""Commands that make the line run: pull, work, load, and the services under it."""

from datetime import date
from typing import Annotated, Literal

import typer

from pipeline.cli.output import AsJson, print_json, print_table, say
from pipeline.cli.stopping import asked_to_stop
from pipeline.errors import Misconfigured


def fetch(
    sources: Annotated[list[str] | None, typer.Argument(help="Names of sources.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every declared source.")] = False,
    day: Annotated[str | None, typer.Option("--date", help="Only what was published that day (YYYY-MM-DD).")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only what was published since that day.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pull sources once into the log."""
    from pipeline import bootstrap

    names = [s.name for s in bootstrap.catalogue(bootstrap.settings())] if all_ else sources or []
    if not names:
        raise Misconfigured("name a source, or use --all; `depeche sources` lists them")
    reports = bootstrap.fetch_sources(names, _window(day, since))
    print_json(reports) if as_json else print_table(reports, "no sources")
    if not all(report["ok"] for report in reports):
        raise typer.Exit(1)


def _window(day: str | None, since: str | None) -> tuple[str, str] | None:
    from pipeline import bootstrap

    if day is None and since is None:
        return None
    try:
        first = date.fromisoformat(day or since or "")
    except ValueError as error:
        raise Misconfigured(f"{day or since!r} is no day like 2026-11-20") from error
    start, end = bootstrap.day_window(first)
    return (start, end) if day else (start, "9999-12-31T00:00:00+00:00")


def run(
    step: Annotated[str, typer.Argument(help="normalise, enrich or archive.")],
    until_caught_up: Annotated[bool, typer.Option(help="Stop when everything that is there now is done.")] = False,
) -> None:
    """Run one streaming worker until it is stopped."""
    from pipeline import bootstrap

    stopped = asked_to_stop()
    counts = bootstrap.run_step(step, until_caught_up=until_caught_up, stop=stopped)
    say(f"{step}: " + ", ".join(f"{value} {name}" for name, value in counts.items()))


def load(
    to: Annotated[Literal["duckdb"], typer.Option(help="Which warehouse.")] = "duckdb", as_json: AsJson = False
) -> None:
    """Load closed segments into the warehouse, each exactly once."""
    from pipeline import bootstrap

    report = bootstrap.load_warehouse()
    print_json(report) if as_json else print_table([{"warehouse": to, **report}], "nothing")


def up() -> None:
    """Start Kafka, S3, the workers and Airflow on this machine."""
    from pipeline import bootstrap

    bootstrap.services_up(say)


def down() -> None:
    """Stop everything `up` started."""
    from pipeline import bootstrap

    say("stopped" if bootstrap.services_down(say) else "nothing was running")


def prepare() -> None:
    """Create the topics and the bucket that are missing, on the servers the settings name."""
    from pipeline import bootstrap

    new = bootstrap.prepare(bootstrap.settings())
    say(f"created {', '.join(new)}" if new else "everything was there")


def demo() -> None:
    """Show the whole line: services, a night through Airflow, articles, events, objects, SQL."""
    from pipeline.demo import demo as run_demo

    run_demo(say)
