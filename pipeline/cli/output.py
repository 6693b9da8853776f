"""What the commands share: where words go, and how data is printed."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def say(text: str) -> None:
    """Tell the person at the terminal something that is no data."""
    from pipeline.render.words import shown

    print(shown(text), file=sys.stderr, flush=True)


def print_json(data: Any) -> None:
    """Print data for a program."""
    from pipeline.render.words import UNSEEN

    # Written as escapes they are the same data, and do nothing to the terminal.
    text = json.dumps(data, ensure_ascii=False, indent=2, default=str)
    print(UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def print_table(rows: Sequence[dict[str, Any]], empty: str) -> None:
    """Print rows for a person; `empty` is said where there are none."""
    from pipeline.render.tabular import table

    print(table(rows)) if rows else say(empty)
