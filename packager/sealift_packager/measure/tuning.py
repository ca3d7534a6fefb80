"""How a candidate runs best: its threads and its graph optimization level."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sealift_packager.candidates.result import CandidateResult
from sealift_packager.graph.session import open_session, run_session
from sealift_packager.graph.settings import DEFAULT_LEVEL, Settings
from sealift_packager.measure import latency
from sealift_packager.model.source import Array, Arrays

#: Fewer threads win unless more are quicker by more than this share: threads are taken from whatever else a device does.
THREAD_GAIN: Final = 0.05
#: Another level wins only if it is surely quicker by more than this share: two sessions of one graph differ by 1 to 2 %.
LEVEL_GAIN: Final = 0.05
#: What is tried beside the default. Layouts of ``all`` and fusions of ``extended`` don't pay off in every graph.
OTHER_LEVELS: Final = ("extended", "basic")
#: A slow model gets no more rounds than these; its intervals are then wide, and it keeps the default.
LEVEL_ROUNDS: Final = 5


def settings_for(result: CandidateResult, threads: int, level: str = DEFAULT_LEVEL) -> Settings:
    """A candidate's session."""
    return Settings(threads=threads, graph_optimization=level, entries=result.candidate.session_entries)


def fewest_threads(medians: Mapping[int, float]) -> int:
    """The smallest number of threads within `THREAD_GAIN` of the quickest, of latencies in any unit. Pure."""
    best = min(medians.values())
    return min(count for count, median in medians.items() if median <= best * (1 + THREAD_GAIN))


def choose_level(result: CandidateResult, example: Arrays, *, threads: int, seconds: float) -> str:
    """The graph optimization level for a candidate."""
    levels = (DEFAULT_LEVEL, *OTHER_LEVELS)
    sessions = {level: open_session(result.model, settings_for(result, threads, level), where=result.name) for level in levels}
    runs: dict[str, Callable[[], object]] = {level: functools.partial(run_session, opened, example) for level, opened in sessions.items()}
    return quickest_level(latency.measure(runs, seconds=seconds, rounds=(LEVEL_ROUNDS, latency.MAX_ROUNDS), warm_up=1))


def quickest_level(samples_ms: Mapping[str, Array], others: Sequence[str] = OTHER_LEVELS) -> str:
    """The default, or the quickest of those whose speed-up over it is more than `LEVEL_GAIN` at its interval's lower end. Pure."""
    speedups = {level: latency.speedup(samples_ms[DEFAULT_LEVEL], samples_ms[level], seed=0) for level in others}
    surely = {level: speedup.ratio for level, speedup in speedups.items() if speedup.low > 1 + LEVEL_GAIN}
    return max(surely, key=lambda level: surely[level]) if surely else DEFAULT_LEVEL
