"""Requests that break conversions: one row and many, free dimensions short and long, random values, extremes, what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from sealift_packager.data.synthetic import NO_SIZES, concrete_shape, free_symbols, make_inputs
from sealift_packager.load.source import Array, Arrays
from sealift_runtime.bundle.tensors import TensorSpec

BATCHES: Final = (1, 2, 7)
#: Of each free dimension other than the batch: one, what no example had, and what is no multiple of anything.
SIZES: Final = (1, 3, 17)
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
    symbols = free_symbols(specs)
    for symbol in symbols:
        for size in SIZES:
            yield f"a size of {size} for {symbol}", _random(specs, holdout, 2 if free else 1, seed, 1.0, {symbol: size})
    if len(symbols) > 1:
        yield "another size for each free dimension", _random(specs, holdout, 2 if free else 1, seed, 1.0, _distinct(symbols))
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


def _distinct(symbols: Sequence[str]) -> dict[str, int]:
    return {symbol: 5 + 2 * at for at, symbol in enumerate(symbols)}


def _random(
    specs: Sequence[TensorSpec], holdout: Arrays | None, rows: int, seed: int, scale: float, sizes: Mapping[str, int] = NO_SIZES
) -> dict[str, Array]:
    inputs = make_inputs(specs, rows=rows, seed=seed, scale=scale, sizes=sizes)
    if holdout is None:
        return inputs
    generator = np.random.default_rng(seed)
    return {spec.name: _like(holdout[spec.name], inputs[spec.name], generator) for spec in specs}


def _like(known: Array, made: Array, generator: np.random.Generator) -> Array:
    """Random values like the known ones: floats around their mean; of others whole rows, or single values where rows have another size."""
    alike = known.shape[1:] == made.shape[1:]
    if made.dtype.kind == "f":
        axis = 0 if alike else None
        center, spread = np.nanmean(known, axis=axis, dtype=np.float64), np.nanstd(known, axis=axis, dtype=np.float64)
        return np.asarray((center + spread * made).astype(made.dtype))
    if alike:
        return np.asarray(known[generator.integers(0, len(known), len(made))])
    return np.asarray(known.ravel()[generator.integers(0, known.size, made.shape)]) if known.size else made
