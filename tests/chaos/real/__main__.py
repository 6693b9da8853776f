"""`python -m tests.chaos.real`: make runs side by side, each seed once; go on where an earlier call stopped."""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.chaos.real.plan import plan
from tests.chaos.real.run import Result, run

_TIMEOUT_S = 600


def main() -> int:
    """Make the runs and print a line for each; 1 if any lost, doubled or hung."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.real", description=main.__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--book", type=Path, default=Path(".depeche/chaos"), help="folder of results and kept logs")
    parser.add_argument("--seed", type=int, help="make this one run here, and print its result as JSON")
    options = parser.parse_args()
    options.book.mkdir(parents=True, exist_ok=True)
    if options.seed is not None:
        found = run(plan(options.seed), keep=options.book)
        print(msgspec.json.encode(found).decode())
        return 1 if found.wrong else 0
    book = options.book / "runs.jsonl"
    known = results(book)
    seeds = [s for s in range(options.first, options.first + options.runs) if s not in known]
    with ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(lambda seed: _run_apart(seed, options.book), seeds):
            with book.open("ab") as out:
                out.write(msgspec.json.encode(result) + b"\n")
            known[result.seed] = result
            print(_line(result), flush=True)
    wanted = [known[s] for s in range(options.first, options.first + options.runs)]
    bad = [r.seed for r in wanted if r.wrong]
    print(f"{len(wanted)} runs, {sum(r.inputs for r in wanted)} inputs, {len(bad)} runs lost, doubled or hung: {bad}")
    return 1 if bad else 0


def results(book: Path) -> dict[int, Result]:
    """Return the results that are there, by seed."""
    if not book.exists():
        return {}
    found = [msgspec.json.decode(line, type=Result) for line in book.read_bytes().splitlines()]
    return {result.seed: result for result in found}


def _run_apart(seed: int, book: Path) -> Result:
    command = [sys.executable, "-m", "tests.chaos.real", "--seed", str(seed), "--book", str(book)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
        return msgspec.json.decode(done.stdout, type=Result)
    except (subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        said = "" if isinstance(error, subprocess.TimeoutExpired) else done.stderr.decode(errors="replace")[-600:]
        return Result(
            seed=seed,
            inputs=0,
            wrong=[f"the run itself failed: {type(error).__name__} {said}"],
            troubles=[],
            dooms=[],
            exits={},
            tracebacks=[],
            caught_up_s=0,
            seconds=0,
        )


def _line(result: Result) -> str:
    verdict = "sound" if not result.wrong else f"WRONG {result.wrong[0]}"
    happened = ", ".join([*result.troubles, *result.dooms]) or "nothing happened"
    return f"seed {result.seed}: {verdict}; {result.inputs} inputs, {result.seconds:.0f} s; {happened}"


if __name__ == "__main__":
    sys.exit(main())
