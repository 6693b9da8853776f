"""`depeche`: parse, call, render. stdout carries data, stderr everything else.

Exit codes: 0 done, 1 failed, 2 wrong configuration or usage. A foreseeable fault is one sentence.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipeline import __version__
from pipeline.errors import DepecheError, Misconfigured

app = typer.Typer(
    name="depeche",
    help="French-language news turned into structured, queryable event data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
rejected_app = typer.Typer(help="What was turned down: list it, show it, try it again.", no_args_is_help=True)
app.add_typer(rejected_app, name="rejected")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def _print_table(rows: Sequence[dict[str, Any]], empty: str) -> None:
    from pipeline.render.tabular import table

    print(table(rows)) if rows else _say(empty)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"depeche {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more to stderr.")] = False,
) -> None:
    from pipeline.telemetry import configure

    configure(verbose=verbose)


def _inputs(files: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in files or ["-"]:
        if name == "-":
            yield "-", sys.stdin.buffer.read()
            continue
        try:
            yield name, Path(name).read_bytes()
        except OSError as error:
            raise Misconfigured(f"{name} cannot be read: {error.strerror}") from error


@app.command()
def extract(
    files: Annotated[
        list[str] | None, typer.Argument(help="Text, HTML or JSON Lines files; - or nothing for stdin.")
    ] = None,
    format: Annotated[Literal["json", "table", "html"], typer.Option(help="How to print an article.")] = "json",
) -> None:
    """Read articles from files and print what is in them; no service is needed."""
    from pipeline import bootstrap
    from pipeline.extract import Turned
    from pipeline.render import html_page, json_line, terminal_text

    failed = False
    page = []
    for found in bootstrap.extracted(_inputs(files or [])):
        if isinstance(found, Turned):
            failed = True
            _say(f"{found.position}: {found.flaw.reason}: {found.flaw.detail}")
        elif format == "html":
            page.append(found)
        else:
            print(json_line(found) if format == "json" else terminal_text(found), flush=True)
    if format == "html" and page:
        print(html_page(page))
    if failed:
        raise typer.Exit(1)


@app.command()
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
    _print_json(reports) if as_json else _print_table(reports, "no sources")
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


@app.command()
def sources(as_json: AsJson = False) -> None:
    """List the declared sources and when each was last pulled."""
    from pipeline import bootstrap

    rows = bootstrap.source_table()
    _print_json(rows) if as_json else _print_table(rows, "no source is declared")


@app.command()
def run(
    step: Annotated[str, typer.Argument(help="normalise, enrich or archive.")],
    until_caught_up: Annotated[bool, typer.Option(help="Stop when everything that is there now is done.")] = False,
) -> None:
    """Run one streaming worker until it is stopped."""
    from pipeline import bootstrap

    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    counts = bootstrap.run_step(step, until_caught_up=until_caught_up, stop=lambda: stopped)
    _say(f"{step}: " + ", ".join(f"{value} {name}" for name, value in counts.items()))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show how far each step is, how fast, and what was turned down."""
    from pipeline import bootstrap
    from pipeline.render.tabular import status_text

    found = bootstrap.line_status()
    _print_json(found) if as_json else print(status_text(found))


@app.command()
def load(
    to: Annotated[Literal["duckdb"], typer.Option(help="Which warehouse.")] = "duckdb", as_json: AsJson = False
) -> None:
    """Load closed segments into the warehouse, each exactly once."""
    from pipeline import bootstrap

    report = bootstrap.load_warehouse()
    _print_json(report) if as_json else _print_table([{"warehouse": to, **report}], "nothing")


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that nothing is lost and nothing stands twice; exit 1 and name the place if not."""
    import msgspec

    from pipeline import bootstrap

    found = bootstrap.verdict(lambda what: _say(f"checking {what}"))
    if as_json:
        _print_json(msgspec.to_builtins(found))
    else:
        _print_table([{"what": name, "records": count} for name, count in found.counts.items()], "nothing to check")
        _print_table([msgspec.to_builtins(f) for f in found.faults], "sound: nothing lost, nothing twice")
    if not found.sound:
        raise typer.Exit(1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at every setting and service, and say what to do about what is wrong."""
    import msgspec

    from pipeline import bootstrap

    rows = [msgspec.to_builtins(finding) for finding in bootstrap.diagnosis()]
    _print_json(rows) if as_json else _print_table(rows, "nothing to look at")
    if any(row["level"] == "error" for row in rows):
        raise typer.Exit(1)


@app.command()
def sql(query: Annotated[str, typer.Argument(help="A SELECT.")], as_json: AsJson = False) -> None:
    """Ask the warehouse."""
    from pipeline import bootstrap

    columns, found = bootstrap.query(query)
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    _print_json(rows) if as_json else _print_table(rows, "no rows")


@app.command()
def up() -> None:
    """Start Kafka, S3, the workers and Airflow on this machine."""
    from pipeline import bootstrap

    bootstrap.services_up(_say)


@app.command()
def down() -> None:
    """Stop everything `up` started."""
    from pipeline import bootstrap

    _say("stopped" if bootstrap.services_down(_say) else "nothing was running")


@app.command()
def prepare() -> None:
    """Create the topics and the bucket that are missing, on the servers the settings name."""
    from pipeline import bootstrap

    new = bootstrap.prepare(bootstrap.settings())
    _say(f"created {', '.join(new)}" if new else "everything was there")


@app.command()
def demo() -> None:
    """Show the whole line: services, a night through Airflow, articles, events, objects, SQL."""
    from pipeline.demo import demo as run_demo

    run_demo(_say)


@rejected_app.command("list")
def rejected_list(as_json: AsJson = False) -> None:
    """List what was turned down, with its reason."""
    from pipeline import bootstrap
    from pipeline.operate import rejected

    with bootstrap.browser(bootstrap.settings()) as looking:
        rows = [dict(rejected.as_row(entry)) for entry in rejected.entries(looking)]
    _print_json(rows) if as_json else _print_table(rows, "nothing was rejected")


@rejected_app.command("show")
def rejected_show(event_id: Annotated[str, typer.Argument(help="Its id, or how that begins.")]) -> None:
    """Show one rejection whole, with its original bytes."""
    from pipeline import bootstrap
    from pipeline.operate import rejected

    with bootstrap.browser(bootstrap.settings()) as looking:
        entry = rejected.find(looking, event_id)
    shown = dict(rejected.as_row(entry)) | {
        "source": entry.data.source,
        "article_id": entry.data.article_id,
        "headers": dict(entry.data.original_headers),
        "traceback": entry.data.traceback,
        "original": entry.data.original.decode("utf-8", errors="backslashreplace"),
    }
    _print_json(shown)


@rejected_app.command("retry")
def rejected_retry(event_id: Annotated[str, typer.Argument(help="Its id, or how that begins.")]) -> None:
    """Write a rejected input to its topic again, after what made it fail was mended."""
    from pipeline import bootstrap

    _say(bootstrap.retry_rejected(event_id))


def main() -> None:
    """Run the command line; turn our own errors into a sentence and an exit code."""
    try:
        app(prog_name="depeche")
    except Misconfigured as error:
        _say(f"depeche: {error}")
        sys.exit(2)
    except DepecheError as error:
        _say(f"depeche: {error}")
        sys.exit(1)
    except BrokenPipeError:
        # Whoever reads us has seen enough; stdout must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
