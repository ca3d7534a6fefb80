"""Play random cases and tell how they ended: ``CASES`` of them from seed ``FIRST`` on, or the one of ``SEED``, on ``JOBS`` processes."""

from __future__ import annotations

import collections
import concurrent.futures
import multiprocessing
import os
import re
import sys
from collections.abc import Iterable, Iterator

from fuzz.one_case import RAW, REFUSED, SILENT, Outcome, run_case


def main() -> int:
    """The exit code: 1 on a silent difference or a raw error."""
    seed = os.environ.get("SEED")
    first, cases = (int(seed), 1) if seed else (int(os.environ.get("FIRST", "1")), int(os.environ.get("CASES", "2000")))
    outcomes = []
    for outcome in _play(range(first, first + cases), int(os.environ.get("JOBS", "2"))):
        outcomes.append(outcome)
        if cases == 1 or outcome.verdict in (SILENT, RAW):
            print(f"SEED={outcome.seed} {outcome.verdict}: {outcome.detail}\n    {outcome.case}", flush=True)
    print(_table(outcomes))
    return int(any(outcome.verdict in (SILENT, RAW) for outcome in outcomes))


def _play(seeds: range, jobs: int) -> Iterator[Outcome]:
    if len(seeds) == 1:
        yield run_case(seeds[0])
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=300) as pool:
        yield from (future.result() for future in concurrent.futures.as_completed([pool.submit(run_case, seed) for seed in seeds]))


def _table(outcomes: Iterable[Outcome]) -> str:
    counts = collections.Counter((outcome.verdict, _general(outcome.detail) if outcome.verdict == REFUSED else "") for outcome in outcomes)
    examples = {(outcome.verdict, _general(outcome.detail)): outcome.seed for outcome in outcomes if outcome.verdict == REFUSED}
    lines = [
        f"{count:6}  {verdict}{'  ' + detail if detail else ''}{_example(examples.get((verdict, detail)))}"
        for (verdict, detail), count in sorted(counts.items())
    ]
    return "\n".join(lines)


def _example(seed: int | None) -> str:
    return "" if seed is None else f" (SEED={seed})"


def _general(detail: str) -> str:
    """A refusal without the names and numbers of its case."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|/\S+|\d[\w.+-]*", "…", detail)[:110]


if __name__ == "__main__":
    sys.exit(main())
