"""`python -m tests.chaos.real`: make runs side by side, each seed once for the code as it is now."""

import argparse
import contextlib
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

from tests.chaos.real.plan import plan
from tests.chaos.real.run import Result, code, run

_TIMEOUT_S = 600


def main() -> int:
    """Make the runs and print a line for each; 1 if any lost, doubled or hung."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.real", description=main.__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seeds", help="these seeds and no others: 8,97")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--book", type=Path, default=Path(".depeche/chaos"), help="folder of results and kept logs")
    parser.add_argument("--seed", type=int, help="make this one run here, and print its result as JSON")
    parser.add_argument("--serve", action="store_true", help="make a run for each seed on stdin")
    options = parser.parse_args()
    options.book.mkdir(parents=True, exist_ok=True)
    if options.seed is not None:
        found = run(plan(options.seed), keep=options.book)
        print(msgspec.json.encode(found).decode(), flush=True)
        return 1 if found.wrong else 0
    if options.serve:
        for line in sys.stdin:
            print(msgspec.json.encode(run(plan(int(line)), keep=options.book)).decode(), flush=True)
        return 0
    seeds = list(range(options.first, options.first + options.runs))
    if options.seeds:
        seeds = [int(seed) for seed in options.seeds.split(",")]
    return _runs(seeds, options.jobs, options.book)


def _runs(seeds: Sequence[int], jobs: int, folder: Path) -> int:
    book = folder / "runs.jsonl"
    known = {seed: result for seed, result in results(book).items() if result.code == code()}
    waiting: queue.Queue[int] = queue.Queue()
    missing = [seed for seed in seeds if seed not in known]
    for seed in missing:
        waiting.put(seed)
    made: queue.Queue[Result] = queue.Queue()
    for job in range(jobs):
        threading.Thread(target=_job, args=(waiting, made, folder, folder / f"errors-{job}.log"), daemon=True).start()
    for _ in missing:
        result = made.get()
        with book.open("ab") as out:
            out.write(msgspec.json.encode(result) + b"\n")
        known[result.seed] = result
        print(_line(result), flush=True)
    wanted = [known[seed] for seed in seeds]
    bad = [r.seed for r in wanted if r.wrong]
    skipped = sorted({kind for result in wanted for kind in result.skipped})
    if skipped:
        print(f"not tried, since this machine gives no small disk: {', '.join(skipped)}")
    print(f"{len(wanted)} runs, {sum(r.inputs for r in wanted)} inputs, {len(bad)} runs lost, doubled or hung: {bad}")
    return 1 if bad else 0


def results(book: Path) -> dict[int, Result]:
    """Return the latest result of each seed."""
    if not book.exists():
        return {}
    found = [msgspec.json.decode(line, type=Result) for line in book.read_bytes().splitlines()]
    return {result.seed: result for result in found}


def _job(waiting: "queue.Queue[int]", made: "queue.Queue[Result]", folder: Path, log: Path) -> None:
    """Give one seed after the other to a process that has everything imported; a new one where it fails or hangs."""
    command = [sys.executable, "-m", "tests.chaos.real", "--serve", "--book", str(folder)]
    child: subprocess.Popen[bytes] | None = None
    while True:
        try:
            seed = waiting.get_nowait()
        except queue.Empty:
            break
        if child is None:
            with log.open("ab") as errors:
                child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        assert child.stdin is not None
        assert child.stdout is not None
        so_far = log.stat().st_size
        hung = threading.Timer(_TIMEOUT_S, _kill, [child])
        hung.start()
        child.stdin.write(f"{seed}\n".encode())
        child.stdin.flush()
        answer = child.stdout.readline()
        hung.cancel()
        try:
            made.put(msgspec.json.decode(answer, type=Result))
        except msgspec.DecodeError:
            _kill(child)
            child = None
            made.put(_failed(seed, f"the run itself {_end_of(log, so_far)}; try --seed {seed}"))
    if child is not None:
        _kill(child)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End it with its broker, its store and its workers, which have sessions of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in [*psutil.Process(child.pid).children(recursive=True), psutil.Process(child.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def _end_of(log: Path, so_far: int) -> str:
    """Return what a run that gave no result said last."""
    said = log.read_bytes()[so_far:].decode(errors="replace").strip()
    return f"failed: {said.splitlines()[-1]}" if said else f"hung, or was killed, within {_TIMEOUT_S} s"


def _failed(seed: int, why: str) -> Result:
    return Result(
        seed=seed,
        inputs=0,
        wrong=[why],
        troubles=[],
        dooms=[],
        exits={},
        tracebacks=[],
        caught_up_s=0,
        seconds=0,
        code=code(),
    )


def _line(result: Result) -> str:
    verdict = "sound" if not result.wrong else f"WRONG {result.wrong[0]}"
    happened = ", ".join([*result.troubles, *result.dooms]) or "nothing happened"
    mended = f"; {result.mended} ends the broker never wrote, written by mend" if result.mended else ""
    return f"seed {result.seed}: {verdict}; {result.inputs} inputs, {result.seconds:.0f} s; {happened}{mended}"


if __name__ == "__main__":
    sys.exit(main())
