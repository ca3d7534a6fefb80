"""Requests that break conversions: one row and many, random values, extremes, what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from sealift_packager.data.synthetic import concrete_shape, make_inputs
from sealift_packager.load.source import Array, Arrays
from sealift_runtime.bundle.tensors import TensorSpec

BATCHES: Final = (1, 2, 7)
HOLDOUT_ROWS: Final = 4096


def hard_inputs(specs: Sequence[TensorSpec], holdout: Arrays | None, *, seed: int, takes_nan: bool) -> Iterator[tuple[str, dict[str, Array]]]:
    """Named requests; text and integers, which may be categories and indices, come from the holdout where there is one."""
    free = all(isinstance(spec.shape[0], str) for spec in specs if spec.shape)
    if holdout is not None:
        first = {name: value[:HOLDOUT_ROWS] for name, value in holdout.items()}
        if free:
            yield "the holdout", first
        yield "one row of the holdout", {name: value[: _rows(specs)] for name, value in first.items()}
    for rows in BATCHES if free else (1,):
        yield f"{rows} random rows", _random(specs, holdout, rows, seed, 1.0)
    yield "zeros", {spec.name: _filled(spec, 0) for spec in specs}
    yield "values ten times as large as usual", _random(specs, holdout, 2 if free else 1, seed, 10.0)
    if takes_nan:
        yield "missing values", {spec.name: _filled(spec, np.nan if spec.numpy_dtype.kind == "f" else 0) for spec in specs}


def _rows(specs: Sequence[TensorSpec]) -> int:
    return next((size for spec in specs for size in spec.shape[:1] if isinstance(size, int)), 1)


def _filled(spec: TensorSpec, value: float) -> Array:
    if spec.dtype == "string":
        return np.full(concrete_shape(spec, 2), "", dtype=object)
    return np.full(concrete_shape(spec, 2), value, dtype=spec.numpy_dtype)


def _random(specs: Sequence[TensorSpec], holdout: Arrays | None, rows: int, seed: int, scale: float) -> dict[str, Array]:
    inputs = make_inputs(specs, rows=rows, seed=seed, scale=scale)
    if holdout is None:
        return inputs
    generator = np.random.default_rng(seed)
    for spec in specs:
        known = holdout[spec.name]
        count = len(inputs[spec.name])
        if spec.numpy_dtype.kind == "f":
            center, spread = np.nanmean(known, axis=0, dtype=np.float64), np.nanstd(known, axis=0, dtype=np.float64)
            if center.shape == inputs[spec.name].shape[1:]:
                inputs[spec.name] = (center + spread * inputs[spec.name]).astype(spec.numpy_dtype)
        elif known.shape[1:] == inputs[spec.name].shape[1:]:
            inputs[spec.name] = known[generator.integers(0, len(known), count)]
    return inputs
