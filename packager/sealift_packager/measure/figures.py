"""All figures of the candidates of one profile, on this machine."""

from __future__ import annotations

import dataclasses
import functools
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_core.bundle import files
from sealift_core.bundle.evaluation import Measurement
from sealift_core.timing.rows import take_rows
from sealift_core.timing.throughput import throughput
from sealift_packager.candidates.figures import Figures
from sealift_packager.candidates.result import CandidateResult
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.graph.tensors import refers
from sealift_packager.graph.weights import write_model
from sealift_packager.measure import latency
from sealift_packager.measure.arrays import write_npz
from sealift_packager.measure.comparison import OPENINGS, Compared, compare
from sealift_packager.measure.probe import Footprint, probe
from sealift_packager.measure.tuning import LEVEL_ROUNDS, choose_level, fewest_threads, settings_for
from sealift_packager.model.source import Array, Arrays
from sealift_packager.sandbox.activity import MEASURING, during_all

#: Batch sizes that are tried where the graph leaves the batch free.
BATCHES: Final = (1, 4, 16, 32)
#: What one part takes, as a share of the time for comparing: threads of a large model, one candidate's level, one batch size of one candidate.
THREADS_SHARE: Final = 3 / 8
LEVEL_SHARE: Final = 1 / 20
BATCH_SHARE: Final = 1 / 100
#: How many processes load each of several candidates that are chosen by what loading takes: two of one graph differ by some percent.
FOOTPRINTS: Final = 3
#: Objectives that go by what loading takes.
_BY_FOOTPRINT: Final = frozenset(("memory", "load_time"))

#: Sessions to choose from, by candidate and threads.
Choices = Mapping[str, Mapping[int, Settings]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is asked of the candidates: some rows, by input; ``fixed`` is the batch size if there is only one, and then ``rows`` are a request."""

    rows: Arrays
    fixed: int | None = None

    def request(self, size: int) -> dict[str, Array]:
        """So many rows; they come again where there are fewer."""
        return dict(self.rows) if self.fixed else take_rows(self.rows, size)

    @property
    def example(self) -> dict[str, Array]:
        """The smallest request."""
        return self.request(self.fixed or 1)

    @property
    def batches(self) -> tuple[int, ...]:
        """The batch sizes that the graph takes, of those worth trying."""
        return (self.fixed,) if self.fixed else BATCHES


def measure_candidates(
    results: Sequence[CandidateResult],
    work: Workload,
    threads: Sequence[int],
    *,
    machine: str,
    cores: int,
    seconds: float,
    footprints: int,
    scratch: Path,
) -> dict[str, Figures]:
    """Choose each candidate's graph level, then its threads by comparing all of them for about ``seconds``; by candidate name, batch 1.

    ``footprints`` is how many processes load each.
    """
    example = work.example
    sparing = any(refers(result.model) for result in results)
    choices = (_choices_for_large if sparing else _choices)(results, threads, example, seconds)
    compared = _compare(results, choices, example, seconds=seconds, openings=1 if sparing else OPENINGS)
    inputs = _save_inputs(example, scratch / "inputs.npz")
    figures: dict[str, Figures] = {}
    for result in results:
        comparison = compared[result.name]
        settings = choices[result.name][comparison.threads]
        batches = _batches(result, settings, work)
        with during_all(MEASURING, more_s=seconds):
            most = throughput(batches, callers=cores, seconds=BATCH_SHARE * seconds)
        median, slow = np.quantile(comparison.samples_ms, [0.5, 0.99])
        loaded = _footprints(result, settings, inputs, scratch, times=footprints)
        measurement = Measurement(
            latency_p50_ms=round(float(median), 4),
            latency_p99_ms=round(float(slow), 4),
            throughput_rows_per_s=round(most.rows_per_s, 1),
            throughput_batch_size=most.batch_size,
            machine=machine,
            **footprint_figures(loaded),
        )
        level = settings.graph_optimization
        figures[result.name] = Figures(
            threads=comparison.threads,
            graph_optimization=level,
            samples_ms=comparison.samples_ms,
            measurement=measurement,
            peaks=[footprint.peak_memory_bytes for footprint in loaded],
        )
    return figures


def footprints_for(results: Sequence[CandidateResult], objective: Sequence[str]) -> int:
    """How many processes load each candidate: several where that decides which one is chosen."""
    return FOOTPRINTS if len(results) > 1 and _BY_FOOTPRINT.intersection(objective) else 1


def _choices(results: Sequence[CandidateResult], threads: Sequence[int], example: Arrays, seconds: float) -> Choices:
    """Each candidate's graph level, with all numbers of threads."""
    share = LEVEL_SHARE * seconds
    levels = {result.name: choose_level(result, example, threads=min(threads), seconds=share) for result in results}
    return {result.name: {count: settings_for(result, count, levels[result.name]) for count in threads} for result in results}


def _choices_for_large(results: Sequence[CandidateResult], threads: Sequence[int], example: Arrays, seconds: float) -> Choices:
    """The same for weights of gigabytes, of which each session may hold a copy: fp32 finds the threads, one session after another; all have those.

    Graph levels stay at the default.
    """
    first, share = results[0], THREADS_SHARE * seconds / len(threads)
    medians = {count: _median_ms(first, settings_for(first, count), example, seconds=share) for count in threads} if len(threads) > 1 else {}
    count = fewest_threads(medians) if medians else threads[0]
    return {result.name: {count: settings_for(result, count)} for result in results}


def _compare(results: Sequence[CandidateResult], choices: Choices, example: Arrays, *, seconds: float, openings: int) -> dict[str, Compared]:
    opened = {
        f"{result.name} {count}": functools.partial(open_session, result.model, settings, where=result.name)
        for result in results
        for count, settings in choices[result.name].items()
    }

    def open_and_measure(names: Sequence[str], share: float, rounds: tuple[int, int]) -> Mapping[str, Array]:
        runs = {name: functools.partial(run_session, opened[name](), example) for name in names}
        return latency.measure(runs, seconds=share, rounds=rounds)

    runs = {name: {count: f"{name} {count}" for count in by_threads} for name, by_threads in choices.items()}
    return compare(open_and_measure, runs, seconds=seconds, openings=openings)


def _median_ms(result: CandidateResult, settings: Settings, example: Arrays, *, seconds: float) -> float:
    session = open_session(result.model, settings, where=result.name)
    samples = latency.measure({"": functools.partial(run_session, session, example)}, seconds=seconds, rounds=(LEVEL_ROUNDS, latency.MAX_ROUNDS))
    return float(np.median(samples[""]))


def _batches(result: CandidateResult, settings: Settings, work: Workload) -> Mapping[int, Callable[[], object]]:
    session = open_session(result.model, settings, where=result.name)
    return {size: functools.partial(run_session, session, work.request(size)) for size in work.batches}


def _save_inputs(example: Arrays, path: Path) -> Path:
    write_npz(path, example)
    return path


def _footprints(result: CandidateResult, settings: Settings, inputs: Path, scratch: Path, *, times: int) -> list[Footprint]:
    """Of several processes, one after the other."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix="footprint.") as folder:
        write_model(result.model, Path(folder))
        return [probe(Path(folder, files.GRAPH), inputs, settings, model_bytes=result.size_bytes) for _ in range(times)]


def footprint_figures(footprints: Sequence[Footprint]) -> dict[str, Any]:
    """The medians, as a `Measurement` has them."""
    load_time_ms = statistics.median(footprint.load_time_ms for footprint in footprints)
    peak_memory_bytes = statistics.median_low(footprint.peak_memory_bytes for footprint in footprints)
    return {"load_time_ms": round(load_time_ms, 2), "peak_memory_bytes": peak_memory_bytes}
