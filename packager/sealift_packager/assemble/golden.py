"""Golden cases: a few requests, and the packaged model's answers that every device must reproduce."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sealift_core.bundle.golden import GoldenCase
from sealift_core.bundle.manifest import GoldenInfo
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.data.anonymized import make_anonymized
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.accepted import ANYTHING, Accepted
from sealift_packager.model.batch import fixed_batch
from sealift_packager.model.source import Array, Arrays

CASES: Final = 8
#: More are drawn than kept: one whose label changes with the optimization level is no test of a device.
DRAWN: Final = 32
#: So many rows at most are chosen: golden cases travel with every bundle.
MAX_CHOSEN: Final = 64
#: The last case is a batch.
BATCH: Final = 4
VARIATIONS: Final = tuple(
    Settings(threads=threads, graph_optimization=level) for level in ("disable", "basic", "extended", "all") for threads in (1, 2)
)
#: How many times the spread seen here another machine may differ.
SPREAD_FACTOR: Final = 4.0
RTOL: Final = 1e-3
#: Least atol, and as a share of an output's largest value: other instruction sets add up in another order; int8 may round to the next step.
LEAST_ATOL: Final = 1e-9
FLOORS: Final = {"fp32": 1e-5, "int8-weights": 1e-5, "fp16-weights": 1e-5}
INT8_FLOOR: Final = 1e-2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """The cases, and how near an answer must come."""

    cases: tuple[GoldenCase, ...]
    info: GoldenInfo


def make_golden(
    model: Any,
    inputs: Sequence[TensorSpec],
    holdout: Arrays | None,
    *,
    precision: str,
    seed: int,
    entries: Mapping[str, str] | None = None,
    rows: Arrays | None = None,
    accepted: Accepted = ANYTHING,
) -> Golden:
    """Cases of ``rows``, which somebody chose, each one; without, anonymized ones like the holdout's rows.

    Each output's tolerance comes from its own size and its spread over optimization levels and threads, so that large values (boxes in pixels) don't
    widen what is allowed of small ones (scores below 1).
    """
    requests = list(_synthetic(inputs, holdout, seed, accepted) if rows is None else _chosen(inputs, rows))
    answers = [_answers(model, dataclasses.replace(settings, entries=entries or {}), requests) for settings in VARIATIONS]
    tried = list(zip(requests, zip(*answers, strict=True), strict=True))
    stable = [pair for pair in tried if _agree(pair[1])] or tried
    most = CASES if rows is None else len(stable)
    kept = [*stable[: most - 1], stable[-1]] if len(stable) > most else stable
    cases = tuple(GoldenCase(inputs=case, outputs=outputs[-2]) for case, outputs in kept)  # [-2]: all optimizations, one thread
    tolerances = _tolerances([outputs for _, outputs in kept], FLOORS.get(precision, INT8_FLOOR))
    # devices of earlier versions read atol alone, which must be wide enough for every output
    info = GoldenInfo(cases=len(cases), rtol=RTOL, atol=max(tolerances.values(), default=LEAST_ATOL), output_atol=tolerances)
    return Golden(cases=cases, info=info)


def _answers(model: Any, settings: Settings, requests: Sequence[Arrays]) -> list[dict[str, Array]]:
    """One session at a time: each may hold a copy of the weights."""
    session = open_session(model, settings, where="model.onnx")
    return [run_session(session, case) for case in requests]


def _synthetic(specs: Sequence[TensorSpec], holdout: Arrays | None, seed: int, accepted: Accepted) -> Iterator[dict[str, Array]]:
    fixed = fixed_batch(specs)
    for number in range(DRAWN if holdout else CASES - 1):
        yield make_anonymized(specs, holdout, rows=fixed or 1, seed=seed + number, accepted=accepted)
    yield make_anonymized(specs, holdout, rows=fixed or BATCH, seed=seed, accepted=accepted)


def _chosen(specs: Sequence[TensorSpec], rows: Arrays) -> Iterator[dict[str, Array]]:
    """Each row, and the first few as a batch."""
    fixed, total = fixed_batch(specs), len(next(iter(rows.values())))
    size = fixed or 1
    for at in range(0, total - size + 1, size):
        yield {name: value[at : at + size] for name, value in rows.items()}
    if not fixed and total > 1:
        yield {name: value[:BATCH] for name, value in rows.items()}


def _agree(answers: Sequence[Arrays]) -> bool:
    """Whether everything that must be equal on a device (integers, text) is equal here."""
    return all(np.array_equal(first, other[name]) for name, first in answers[0].items() if first.dtype.kind != "f" for other in answers[1:])


def _tolerances(answers: Sequence[Sequence[Arrays]], floor: float) -> dict[str, float]:
    """The atol of each output of floats, over all cases and their variations."""
    floats = [name for name, value in answers[0][-2].items() if value.dtype.kind == "f"]
    return {name: _tolerance([[variation[name] for variation in variations] for variations in answers], floor) for name in floats}


def _tolerance(answers: Sequence[Sequence[Array]], floor: float) -> float:
    """One output's atol: the largest difference seen, with a margin, and never below the floor; two digits."""
    spread, largest = 0.0, 0.0
    for variations in answers:
        values = np.stack([value.astype(np.float64) for value in variations])
        finite = values[:, np.isfinite(values).all(axis=0)] if values.ndim > 1 else values
        if finite.size:
            spread = max(spread, float(np.ptp(finite, axis=0).max()))
            largest = max(largest, float(np.abs(finite).max()))
    return float(f"{max(SPREAD_FACTOR * spread, floor * largest, LEAST_ATOL):.2g}")
