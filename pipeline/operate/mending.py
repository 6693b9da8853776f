"""Transactions whose end the broker never wrote: their readers wait for ever until somebody writes it."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.errors import DepecheError
from pipeline.operate.doctor import Finding
from pipeline.ports import LeftOpen, TransactionEnds

SUBJECT = "Kafka transaction ends"


class Mended(NamedTuple):
    """One transaction and what was written for it: `commit`, `abort`, or `nothing` and why."""

    transaction: LeftOpen
    wrote: str
    why: str = ""


def ends_found(ends: TransactionEnds, topics: Sequence[str]) -> Finding:
    """Return whether any reader of the topics waits for an end that nobody will write."""
    left = ends.left_open(topics)
    if not left:
        return Finding(SUBJECT, "ok", "no reader waits for an end that was never written")
    places = ", ".join(f"{each.partition.topic}[{each.partition.number}] from offset {each.start} on" for each in left)
    return Finding(
        SUBJECT,
        "error",
        f"the brokers never wrote the end of {len(left)} (docs/decisions/0009-ends-never-written.md), so nothing can be"
        f" read in {places}; `depeche mend` writes what was decided",
    )


def mend(ends: TransactionEnds, topics: Sequence[str]) -> list[Mended]:
    """Write each missing end as its coordinator had decided it; one that it kept no word of stays as it is."""
    return [_mended(ends, each) for each in ends.left_open(topics)]


def _mended(ends: TransactionEnds, transaction: LeftOpen) -> Mended:
    try:
        commit = ends.decided(transaction)
        if commit is None:
            return Mended(transaction, "nothing", "what was decided is nowhere kept any more")
        if transaction not in ends.left_open([transaction.partition.topic]):
            # What its producer writes next joins it, and then it is under way.
            return Mended(transaction, "nothing", "its producer writes on, and ends it")
        ends.end(transaction, commit=commit)
    except DepecheError as error:
        return Mended(transaction, "nothing", str(error))
    return Mended(transaction, "commit" if commit else "abort")
