"""`depeche`: parse, call, render. stdout carries data, stderr everything else.

Exit codes: 0 done, 1 failed, 2 wrong configuration or usage. A foreseeable fault is one sentence.
"""

import os
import sys
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli import line, questions, rejected, replay
from pipeline.cli.output import say
from pipeline.errors import DepecheError, Misconfigured

app = typer.Typer(
    name="depeche",
    help="French-language news turned into structured, queryable event data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_COMMANDS = (
    questions.extract,
    line.fetch,
    questions.sources,
    line.run,
    questions.status,
    line.load,
    questions.verify,
    questions.doctor,
    questions.mend,
    questions.sql,
    line.up,
    line.down,
    line.prepare,
    line.demo,
)
for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(rejected.app, name="rejected")
app.add_typer(replay.app, name="replay")


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


def main() -> None:
    """Run the command line; turn our own errors into a sentence and an exit code."""
    try:
        app(prog_name="depeche")
    except Misconfigured as error:
        say(f"depeche: {error}")
        sys.exit(2)
    except DepecheError as error:
        say(f"depeche: {error}")
        sys.exit(1)
    except BrokenPipeError:
        # Whoever reads us has seen enough; stdout must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
