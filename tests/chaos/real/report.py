"""`python -m tests.chaos.real.report`: the runs of a book as the page docs/chaos.md, and nothing it did not see."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.chaos.real.__main__ import results
from tests.chaos.real.plan import POINTS, TROUBLES
from tests.chaos.real.run import Result

_HEAD = """# Chaos on real servers

Made by `python -m tests.chaos.real.report`; do not edit. One run: a Kafka broker and an S3 server of its own behind
proxies, one to three processes a step under a supervisor, articles, revisions, repetitions, withdrawals and other
languages written for {span:.0f} s while the troubles of the run's seed happen. Then everything is mended, the line
finishes by itself, the tables are loaded, and two judges look: `depeche verify`, and a count that shares no code with
it but the manifests' format (every input has one outcome, every record of the log is in one segment, revisions go 1, 2,
3 …).
The model is its memory twin: how articles are read is no part of how they are delivered. What is not in these runs: the
fetcher (a writer of the run's own takes its place), replay and retry, which have tests of their own on real servers; a
clock jump is one of the clock that workers ask, not of their machine's.

What such runs found, 786 of them before those below on code that was mended since, each with a test of its own but the
third, and its seed run again:
- a pull that failed could be doubled by bytes that were still on their way: a writer now fences before it looks,
- an article withdrawn twice had one event id,
- one Kafka folder in 64 could not be formatted: its id began with a dash,
- a partition given away by a worker that was killed at that moment stayed with nobody (seed 150 never finished):
  [decision 6](decisions/0006-stranded-partitions.md),
- an answer of the broker that came half a minute late sent a worker back to inputs that another had done (seed 124, 24
  inputs twice): [decision 7](decisions/0007-positions-asked-anew.md), with three more of the kind found by reading,
- a worker whose poll timed out in the middle of joining read nothing ever after:
  [decision 8](decisions/0008-joins-left-in-flight.md),
- a worker asked for its positions while a join was under way, and a broker answers nothing on a connection before the
  join (seed 191 never finished),
- Kafka leaves out the end of a transaction in a partition that has no leader just then, and its readers wait for ever
  (seed 218 never finished): [decision 9](decisions/0009-ends-never-written.md). Until then the broker of a run asked
  itself through the proxy that cuts off its clients; it has a way of its own since, as brokers have. A restart of the
  only broker does it still, seldom: a line that waits 45 s has `depeche mend` asked, as an operator would (seed 167, a
  run after those below: seven partitions waited; `mend` wrote their ends and found none left),
- two runs failed by what makes them: a worker that was stopped on its way out was never woken (seed 294), and a process
  ended before its run began, for a reason that was not kept (seed 202, made again; what such a process says is kept
  now),
- an archive whose bucket belongs to another Kafka closed segments that end before they start; it refuses now.

Run it: `make chaos CHAOS_RUNS=300`. One seed again: `.venv/bin/python -m tests.chaos.real --seed 17`.
"""


def page(found: list[Result], span: float) -> str:
    """Return the page."""
    bad = [r for r in found if r.wrong]
    late = sorted(r.caught_up_s for r in found if not r.wrong)
    lines = [_HEAD.format(span=span)]
    lines.append("| | |\n|---|---|")
    lines.append(f"| runs | {len(found)}, seeds {_ranges([r.seed for r in found])} |")
    sources = Counter(r.code or "not noted" for r in found)
    made = "; ".join(f"`{code}`: {count}" for code, count in sources.most_common())
    lines.append(f"| sources (SHA-256 of `pipeline/` and `tests/chaos/real/`): runs | {made} |")
    lines.append(f"| inputs | {sum(r.inputs for r in found):,} |")
    late_only = sum(all(map(_is_late, r.wrong)) for r in bad)
    lines.append(f"| runs that lost or doubled something | {len(bad) - late_only} |")
    lines.append(f"| runs that did not finish, or not end, in time | {late_only} |")
    lines.append(f"| troubles | {sum(len(r.troubles) for r in found):,} |")
    lines.append(f"| deaths and stops at a numbered commit step | {sum(len(r.dooms) for r in found):,} |")
    lines.append(f"| workers that ended and were started again | {sum(sum(r.exits.values()) for r in found):,} |")
    lines.append(f"| tracebacks in the workers' logs | {sum(len(r.tracebacks) for r in found)} |")
    if late:
        middle, worst = late[len(late) // 2], late[-1]
        lines.append(f"| caught up after the last trouble, median; worst | {middle} s; {worst} s |")
    lines.append("\n| trouble | times |\n|---|---|")
    troubles = Counter(t for r in found for t in r.troubles)
    lines += [f"| {kind} | {troubles[kind]} |" for kind in TROUBLES]
    lines.append("\n| numbered commit step | died there | stopped there |\n|---|---|---|")
    dooms = Counter(d for r in found for d in r.dooms)
    lines += [f"| {point} | {dooms[f'kill: {point}']} | {dooms[f'stop: {point}']} |" for point in POINTS]
    if bad:
        lines.append("\nWrong:\n")
        lines += [f"- seed {r.seed}: {r.wrong[0][:300]}" for r in bad]
    return "\n".join(lines) + "\n"


def _is_late(wrong: str) -> bool:
    """Tell whether what is wrong is only that somebody waited too long."""
    return wrong.startswith("never finished") or " when it was asked to" in wrong


def _ranges(seeds: list[int]) -> str:
    out: list[list[int]] = []
    for seed in sorted(seeds):
        if out and seed == out[-1][1] + 1:
            out[-1][1] = seed
        else:
            out.append([seed, seed])
    return ", ".join(f"{a}–{b}" if a != b else str(a) for a, b in out)


def main() -> int:
    """Print the page of a book."""
    from tests.chaos.real.plan import SPAN_S

    parser = argparse.ArgumentParser(prog="python -m tests.chaos.real.report", description=main.__doc__)
    parser.add_argument("--book", type=Path, default=Path(".depeche/chaos"))
    found = list(results(parser.parse_args().book / "runs.jsonl").values())
    print(page(found, SPAN_S), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
