"""Commands that ask: read an article, look at the line, check it, query it."""

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.output import AsJson, print_json, print_table, say
from pipeline.errors import Misconfigured


def _inputs(files: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in files or ["-"]:
        if name == "-":
            yield "-", sys.stdin.buffer.read()
            continue
        try:
            yield name, Path(name).read_bytes()
        except OSError as error:
            raise Misconfigured(f"{name} cannot be read: {error.strerror}") from error


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
            say(f"{found.position}: {found.flaw.reason}: {found.flaw.detail}")
        elif format == "html":
            page.append(found)
        else:
            print(json_line(found) if format == "json" else terminal_text(found), flush=True)
    if format == "html" and page:
        print(html_page(page))
    if failed:
        raise typer.Exit(1)


def sources(as_json: AsJson = False) -> None:
    """List the declared sources and when each was last pulled."""
    from pipeline import bootstrap

    rows = bootstrap.source_table()
    print_json(rows) if as_json else print_table(rows, "no source is declared")


def status(as_json: AsJson = False) -> None:
    """Show how far each step is, how fast, and what was turned down."""
    from pipeline import bootstrap
    from pipeline.render.tabular import status_text

    found = bootstrap.line_status()
    print_json(found) if as_json else print(status_text(found))


def _place(text: str | None, option: str) -> int | date | None:
    """Return an offset or a day. Raises `Misconfigured`."""
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Misconfigured(f"{option} takes an offset or a day like 2026-11-27, not {text!r}") from error


def verify(
    topic: Annotated[str | None, typer.Option(help="Only the segments of this topic.")] = None,
    partition: Annotated[int | None, typer.Option(help="Only this partition of each topic.", min=0)] = None,
    since: Annotated[
        str | None, typer.Option("--from", "--since", help="Only segments that reach beyond this offset or day.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only segments that begin before this offset or day.")] = None,
    store_only: Annotated[bool, typer.Option("--store-only", help="Ask neither the log nor the tables.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that nothing is lost and nothing stands twice; exit 1 and name the place if not."""
    import msgspec

    from pipeline import bootstrap, flow

    if topic is not None and topic not in flow.ARCHIVED:
        raise Misconfigured(f"no topic called {topic!r} is archived; there are {', '.join(flow.ARCHIVED)}")
    found = bootstrap.verdict(
        lambda what: say(f"checking {what}"),
        store_only=store_only,
        topic=topic,
        partition=partition,
        start=_place(since, "--from"),
        until=_place(until, "--until"),
    )
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        print_table([{"what": name, "count": count} for name, count in found.counts.items()], "nothing to check")
        for sentence in found.unchecked:
            say(f"not checked: {sentence}")
        print_table([msgspec.to_builtins(f) for f in found.faults], "sound: nothing lost, nothing twice")
    if not found.sound:
        raise typer.Exit(1)


def doctor(as_json: AsJson = False) -> None:
    """Look at every setting and service, and say what to do about what is wrong."""
    import msgspec

    from pipeline import bootstrap

    rows = [msgspec.to_builtins(finding) for finding in bootstrap.diagnosis()]
    print_json(rows) if as_json else print_table(rows, "nothing to look at")
    if any(row["level"] == "error" for row in rows):
        raise typer.Exit(1)


def mend(as_json: AsJson = False) -> None:
    """Write the ends of transactions that the brokers decided on and never wrote; readers wait for them for ever."""
    from pipeline import bootstrap

    rows = [
        {
            "topic": each.transaction.partition.topic,
            "partition": each.transaction.partition.number,
            "from": each.transaction.start,
            "wrote": each.wrote,
            "why": each.why,
        }
        for each in bootstrap.mended()
    ]
    print_json(rows) if as_json else print_table(rows, "no reader waits for an end that was never written")
    if any(row["wrote"] == "nothing" for row in rows):
        say(
            "depeche: where what was decided is not kept any more, Kafka's own `kafka-transactions.sh abort` undoes it;"
            " `depeche verify` tells whether an input then has no outcome"
        )
        raise typer.Exit(1)


def sql(query: Annotated[str, typer.Argument(help="A SELECT.")], as_json: AsJson = False) -> None:
    """Ask the warehouse."""
    from pipeline import bootstrap

    columns, found = bootstrap.query(query)
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    print_json(rows) if as_json else print_table(rows, "no rows")
