"""`depeche replay`: the archive again, into a version of its own; compared, switched to, and back."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.output import AsJson, print_json, print_table, say
from pipeline.cli.stopping import asked_to_stop

if TYPE_CHECKING:
    from pipeline.operate.comparison import Comparison

app = typer.Typer(help="The archive again, by today's code and model, into a new version.", no_args_is_help=True)

_Version = Annotated[str, typer.Argument(help="A version's name; `live` is what the workers write.")]


@app.command("start")
def replay_start(
    version: Annotated[str, typer.Option("--version", help="Name of the new version, or of one to go on with.")],
    follow: Annotated[bool, typer.Option(help="Go on with what comes in, until stopped.")] = False,
    partition: Annotated[
        list[int] | None, typer.Option(help="Only these partitions: so several processes share the work.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every fetched article again, archive first, up to the end of the log; go on where a killed one ended."""
    from pipeline import bootstrap

    stopped = asked_to_stop()
    counts = dict(bootstrap.start_replay(version, stop=stopped, follow=follow, only=partition or ()))
    print_json(counts) if as_json else print_table([{"version": version, **counts}], "nothing")
    say("stopped; the same command goes on" if stopped() else f"caught up; see `depeche replay compare {version}`")


@app.command("list")
def replay_list(as_json: AsJson = False) -> None:
    """List the versions, how far each has read, and which one readers use."""
    from pipeline import bootstrap

    rows = bootstrap.version_table()
    print_json(rows) if as_json else print_table(rows, "no versions")


@app.command("compare")
def replay_compare(
    version: _Version,
    against: Annotated[str | None, typer.Option(help="Compare with this one, not with what readers use.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what would change for readers: counts, articles, drift of the types of events and entities."""
    import msgspec

    from pipeline import bootstrap

    found = bootstrap.compare_versions(version, against)
    print_json(msgspec.to_builtins(found)) if as_json else _print(found)


def _print(found: "Comparison") -> None:
    import msgspec

    from pipeline.render.tabular import table

    one, two = found.before, found.after
    print(table([{"what": n, one: a, two: b, "difference": b - a} for n, (a, b) in found.counts.items()], "Counts"))
    kinds = {k: v for k, v in msgspec.to_builtins(found.articles).items() if k != "examples"}
    print(table([kinds], "Articles"))
    for title, drifts in (
        (f"Event types, drift {found.event_drift}", found.event_types),
        (f"Entity types, drift {found.entity_drift}", found.entity_types),
        ("Articles per source", found.sources),
    ):
        rows = [{"name": d.name, one: d.before, two: d.after, "share, points": f"{d.points:+.1f}"} for d in drifts]
        if rows:
            print(table(rows, title))
    if found.rejected:
        print(table([{"turned down by": k, "count": n} for k, n in found.rejected.items()], f"Rejected in {two}"))


@app.command("switch")
def replay_switch(version: _Version) -> None:
    """Let readers use a version. Of two people who switch at once exactly one does, and the other is told."""
    from pipeline import bootstrap

    moved = bootstrap.switch_version(version)
    say(f"readers use {moved.version} instead of {moved.previous}, from the next `depeche load` on")


@app.command("rollback")
def replay_rollback() -> None:
    """Let readers use again what they used before the last switch."""
    from pipeline import bootstrap

    moved = bootstrap.roll_back()
    say(f"readers use {moved.version} again instead of {moved.previous}, from the next `depeche load` on")
