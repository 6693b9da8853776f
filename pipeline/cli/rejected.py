"""`depeche rejected`: what was turned down."""

import base64
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.output import AsJson, print_json, print_table, say
from pipeline.errors import Misconfigured

if TYPE_CHECKING:
    from pipeline.operate.rejected import Entry, Wanted

app = typer.Typer(help="What was turned down: list it, show it, export it, try it again.", no_args_is_help=True)

_Reason = Annotated[str | None, typer.Option("--reason", help="Only what was turned down for this, e.g. not_french.")]
_Stage = Annotated[str | None, typer.Option("--stage", help="Only what this step turned down.")]
_Source = Annotated[str | None, typer.Option("--source", help="Only what came from this source.")]
_Since = Annotated[str | None, typer.Option("--since", help="Only since that day (YYYY-MM-DD, UTC).")]


def _wanted(reason: str | None, stage: str | None, source: str | None, since: str | None) -> "Wanted":
    from pipeline.operate.rejected import Wanted

    try:
        start = datetime.combine(date.fromisoformat(since), time(), UTC) if since else None
    except ValueError as error:
        raise Misconfigured(f"{since!r} is no day like 2026-11-20") from error
    return Wanted(reason, stage, source, start)


@app.command("list")
def rejected_list(
    reason: _Reason = None, stage: _Stage = None, source: _Source = None, since: _Since = None, as_json: AsJson = False
) -> None:
    """List what was turned down, with its reason."""
    from pipeline import bootstrap
    from pipeline.operate import rejected

    wanted = _wanted(reason, stage, source, since)
    with bootstrap.rejections() as looking:
        rows = [rejected.as_row(entry) for entry in rejected.entries(looking, wanted)]
    if as_json:
        print_json(rows)
        return
    print_table(rows, "nothing was rejected")
    if rows:
        say(f"{len(rows)} rejections; `depeche rejected count` adds them up")


@app.command("count")
def rejected_count(
    reason: _Reason = None, stage: _Stage = None, source: _Source = None, since: _Since = None, as_json: AsJson = False
) -> None:
    """Count what was turned down, by stage and reason."""
    from pipeline import bootstrap
    from pipeline.operate import rejected

    wanted = _wanted(reason, stage, source, since)
    with bootstrap.rejections() as looking:
        found = rejected.counts(rejected.entries(looking, wanted))
    rows = [{"stage": at, "reason": why, "count": n} for at, reasons in found.items() for why, n in reasons.items()]
    print_json(rows) if as_json else print_table(rows, "nothing was rejected")


@app.command("show")
def rejected_show(event_id: Annotated[str, typer.Argument(help="Its id, or how that begins.")]) -> None:
    """Show one rejection whole, with its original bytes."""
    from pipeline import bootstrap
    from pipeline.operate import rejected

    with bootstrap.rejections() as looking:
        (entry,) = rejected.find(looking, [event_id])
    print_json(rejected.as_whole(entry) | {"original": entry.data.original.decode("utf-8", errors="backslashreplace")})


@app.command("export")
def rejected_export(
    reason: _Reason = None,
    stage: _Stage = None,
    source: _Source = None,
    since: _Since = None,
    to: Annotated[str, typer.Option(help="A folder for the original bytes; - prints them as base64.")] = "-",
) -> None:
    """Export rejections with their original bytes: JSON Lines, or a folder of files and its manifest.jsonl."""
    from pipeline import bootstrap
    from pipeline.operate import rejected

    wanted = _wanted(reason, stage, source, since)
    with bootstrap.rejections() as looking:
        found = rejected.entries(looking, wanted)
        if to != "-":
            count = _export_files(found, Path(to))
            say(f"{count} rejections are in {to}")
            return
        for entry in found:
            original = base64.b64encode(entry.data.original).decode()
            print(_line(rejected.as_whole(entry) | {"original_base64": original}))


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)


def _export_files(found: "Any", folder: Path) -> int:
    """Write each original under a name made of its id alone: nothing an input says becomes part of a path."""
    from pipeline.operate import rejected

    count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
            for entry in found:
                name = re.sub(r"[^0-9A-Za-z-]", "_", entry.envelope.id)[:64] + ".bin"
                (folder / name).write_bytes(entry.data.original)
                print(_line(rejected.as_whole(entry) | {"file": name}), file=manifest)
                count += 1
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be written to: {error.strerror}; name another with --to") from error
    return count


@app.command("retry")
def rejected_retry(
    event_ids: Annotated[list[str] | None, typer.Argument(help="Ids, or how they begin.")] = None,
    reason: _Reason = None,
    stage: _Stage = None,
    source: _Source = None,
    since: _Since = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything that was turned down.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write rejected inputs to their topics again, each once, after what made them fail was mended."""
    import msgspec

    from pipeline import bootstrap

    wanted = _wanted(reason, stage, source, since)
    if not (event_ids or any(wanted) or all_):
        raise Misconfigured("name rejections by id, by --reason, --stage, --source or --since, or use --all")
    report = bootstrap.retry_rejected(lambda looking: _choice(looking, event_ids, wanted))
    for why in report.skipped:
        say(why)
    if as_json:
        print_json(msgspec.to_builtins(report))
    else:
        say(f"{report.written} written again, {report.done_before} had been before, {len(report.skipped)} cannot be")
    if report.skipped and not report.written + report.done_before:
        sys.exit(1)


def _choice(looking: Any, event_ids: list[str] | None, wanted: "Wanted") -> "Callable[[Entry], bool]":
    from pipeline.operate import rejected

    if not event_ids:
        return wanted.has
    named = {entry.envelope.id for entry in rejected.find(looking, event_ids)}
    return lambda entry: entry.envelope.id in named and wanted.has(entry)
