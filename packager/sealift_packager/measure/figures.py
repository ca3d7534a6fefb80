"""All figures of the candidates of one profile, on this machine."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.candidates.built import Built
from sealift_packager.load.source import Array, Arrays
from sealift_packager.measure import latency
from sealift_packager.measure.probe import probe
from sealift_packager.session import Settings, open_session, run_session
from sealift_runtime.bundle.evaluation import Measurement

#: Fewer threads win unless more are quicker by more than this share: threads are taken from whatever else a device does.
THREAD_GAIN: Final = 0.05
CHOOSING_SECONDS: Final = 1.5
COMPARING_SECONDS: Final = 4.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One candidate's: the threads that suit it, its samples in ms (paired with the others'), and what the manifest keeps."""

    threads: int
    samples_ms: Array
    measurement: Measurement


def measure_candidates(built: Sequence[Built], example: Arrays, threads: Sequence[int], *, machine: str, scratch: Path) -> dict[str, Figures]:
    """Choose each candidate's threads, then measure all of them in turns; by candidate name, batch 1."""
    sessions = {(row.spec.name, count): open_session(row.model, _settings(row, count), where=row.spec.name) for row in built for count in threads}
    chosen = _choose_threads(sessions, example, [row.spec.name for row in built], threads)
    runs = {name: functools.partial(run_session, sessions[name, count], example) for name, count in chosen.items()}
    samples = latency.compare(runs, reference=built[0].spec.name, seconds=COMPARING_SECONDS)
    inputs = _save_inputs(example, scratch / "inputs.npz")
    return {row.spec.name: _figures(row, chosen[row.spec.name], samples[row.spec.name], inputs, machine, scratch) for row in built}


def _choose_threads(sessions: Mapping[tuple[str, int], Any], example: Arrays, names: Sequence[str], threads: Sequence[int]) -> dict[str, int]:
    if len(threads) == 1:
        return dict.fromkeys(names, threads[0])
    runs = {f"{name} {count}": functools.partial(run_session, session, example) for (name, count), session in sessions.items()}
    samples = latency.measure(runs, seconds=CHOOSING_SECONDS)
    medians = {key: float(np.median(values)) for key, values in samples.items()}
    return {name: fewest_threads({count: medians[f"{name} {count}"] for count in threads}) for name in names}


def fewest_threads(medians_ms: Mapping[int, float]) -> int:
    """The smallest number of threads within `THREAD_GAIN` of the quickest. Pure."""
    best = min(medians_ms.values())
    return min(count for count, median in medians_ms.items() if median <= best * (1 + THREAD_GAIN))


def _settings(row: Built, threads: int) -> Settings:
    return Settings(threads=threads, entries=row.spec.session_entries)


def _save_inputs(example: Arrays, path: Path) -> Path:
    np.savez(path, **{name: value.astype(np.str_) if value.dtype.kind == "O" else value for name, value in example.items()})  # type: ignore[arg-type]
    return path


def _figures(row: Built, threads: int, samples: Array, inputs: Path, machine: str, scratch: Path) -> Figures:
    model = scratch / f"{row.spec.name}.onnx"
    onnx.save(row.model, model)
    footprint = probe(model, inputs, threads, dict(_settings(row, threads).config))
    model.unlink()
    median, slow = np.quantile(samples, [0.5, 0.99])
    measurement = Measurement(
        latency_p50_ms=round(float(median), 4),
        latency_p99_ms=round(float(slow), 4),
        load_time_ms=round(footprint.load_time_ms, 2),
        peak_memory_bytes=footprint.peak_memory_bytes,
        machine=machine,
    )
    return Figures(threads=threads, samples_ms=samples, measurement=measurement)
