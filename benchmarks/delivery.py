"""What the promises of delivery cost, and what they are worth: archive, transactions, recovery, memory.

`python -m benchmarks.delivery` prints all of it, `… delivery archive` (transactions, recovery, memory) one part.
"""

import sys
from collections.abc import Iterator

from benchmarks import archiving, recovery, transactions
from benchmarks.stage import Stage, stage


def archive(on: Stage) -> Iterator[str]:
    """Yield the archive's figures beside those of a bare copy loop."""
    found = archiving.measure(on)
    yield f"Archive, {found.records:,} enriched articles of {found.mb * 1e3 / found.records:.1f} kB, one process"
    for name, usage in (("archive (Parquet)", found.archive), ("bare copy (JSONL)", found.copy)):
        rate = found.mb / usage.cpu_s
        yield f"  {name:<24} {rate:7.1f} MB of JSON per CPU-second, {usage.peak_mb:5.0f} MB resident at most"
    yield "  where the archive's main thread spends its time:"
    yield from (f"    {line}" for line in found.profile.splitlines())


def transaction(on: Stage) -> Iterator[str]:
    """Yield what a transaction a batch costs beside at least once."""
    found = transactions.measure(on)
    yield f"Transactions, batches of {found.batch} small articles, a trivial step"
    yield f"  exactly once             {found.transactional:7.0f} records/s"
    yield f"  at least once            {found.at_least_once:7.0f} records/s"
    yield f"  cost                     {found.share:7.1%}"


def recovered(on: Stage) -> Iterator[str]:
    """Yield how soon a kill is forgotten."""
    yield "Seconds after a SIGKILL, the longest of three"
    for found in recovery.measure(on):
        yield (
            f"  {found.what:<24} {found.first_commit_s:5.1f} to the next commit, {found.caught_up_s:5.1f} to the usual"
            f" lag, {found.readable_s:5.1f} until readers see past what was open"
        )


def memory(on: Stage) -> Iterator[str]:
    """Yield the peaks of one archive process over a long run."""
    found = archiving.flatness(on)
    peaks = ", ".join(f"{mb:.0f}" for mb in found.quarters_mb)
    yield f"Memory of one archive process over {found.records:,} records of 200 bytes, {found.seconds:.0f} s"
    yield f"  peak of each quarter     {peaks} MB resident"


PARTS = {"archive": archive, "transactions": transaction, "recovery": recovered, "memory": memory}


def main(names: list[str]) -> None:
    """Print the named parts, each on servers of its own."""
    for name in names or PARTS:
        with stage() as on:
            try:
                for line in PARTS[name](on):
                    print(line, flush=True)
            except Exception:
                print(on.log(), file=sys.stderr)
                raise


if __name__ == "__main__":
    main(sys.argv[1:])
