"""Rows of anything as tables for people; what a program reads is JSON, not this."""

import io
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.render.words import shown

_NARROWEST = 100


def console() -> Console:
    """Return a console that writes to a buffer as wide as the terminal, in colour only on one."""
    width = max(_NARROWEST, shutil.get_terminal_size((140, 40)).columns)
    return Console(file=io.StringIO(), width=width, force_terminal=sys.stdout.isatty(), highlight=False)


def text(*things: RenderableType) -> str:
    """Return renderables as text."""
    out = console()
    for thing in things:
        out.print(thing)
    printed: str = out.file.getvalue()  # type: ignore[attr-defined]
    return printed.rstrip("\n")


def rich_table(rows: Sequence[Mapping[str, Any]], title: str | None = None) -> Table:
    """Return the rows as a table with a column for each key."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for name in rows[0]:
        numeric = all(isinstance(row[name], (int, float)) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(_cell(value))) for value in row.values()))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value))
    return str(value)


def table(rows: Sequence[Mapping[str, Any]], title: str | None = None) -> str:
    """Return the rows as text."""
    return text(rich_table(rows, title))


def status_text(found: Mapping[str, Any]) -> str:
    """Return the status of the line as text."""
    parts: list[RenderableType] = [rich_table(found["steps"], "Steps")]
    parts.append(rich_table([{"topic": t, "records": n} for t, n in found["topics"].items()], "Topics"))
    refused = list(_refused(found["rejected"]))
    if refused:
        parts.append(rich_table(refused, "Rejected"))
    if found["services"]:
        parts.append(rich_table([{"service": n, "state": s} for n, s in found["services"].items()], "Services here"))
    night = found["last_night"]
    parts.append(f"Last night: {night['date']}, {night['totals']}" if night else "No night has been run yet.")
    return text(*parts)


def _refused(rejected: Mapping[str, Mapping[str, int]]) -> Iterable[dict[str, Any]]:
    for stage, reasons in rejected.items():
        for reason, count in reasons.items():
            yield {"stage": stage, "reason": reason, "count": count}
