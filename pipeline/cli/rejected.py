"""`depeche rejected`: what was turned down."""

from typing import Annotated

import typer

from pipeline.cli.output import AsJson, print_json, print_table, say

app = typer.Typer(help="What was turned down: list it, show it, try it again.", no_args_is_help=True)


@app.command("list")
def rejected_list(as_json: AsJson = False) -> None:
    """List what was turned down, with its reason."""
    from pipeline import bootstrap
    from pipeline.operate import rejected

    with bootstrap.browser(bootstrap.settings()) as looking:
        rows = [dict(rejected.as_row(entry)) for entry in rejected.entries(looking)]
    print_json(rows) if as_json else print_table(rows, "nothing was rejected")


@app.command("show")
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
    print_json(shown)


@app.command("retry")
def rejected_retry(event_id: Annotated[str, typer.Argument(help="Its id, or how that begins.")]) -> None:
    """Write a rejected input to its topic again, after what made it fail was mended."""
    from pipeline import bootstrap

    say(bootstrap.retry_rejected(event_id))
