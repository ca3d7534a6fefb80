"""Rows that are like the data's and none of them: drawn from statistics that no single row decides. Pure."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.model.source import Array, Arrays
from sealift_packager.model.synthetic import make_inputs

#: Statistics of fewer rows would tell of single ones; then rows are made up without any.
MIN_ROWS: Final = 20
#: More rows change a mean by less than what is rounded away.
MAX_ROWS: Final = 1024
#: A text of fewer rows might be somebody's.
MIN_TIMES: Final = 5
DIGITS: Final = 3
QUANTILES: Final = (0.1, 0.9)


def make_alike(specs: Sequence[TensorSpec], known: Arrays | None, *, rows: int, seed: int) -> dict[str, Array]:
    """``rows`` requests in the range of ``known`` ones, which a device may see; made up where there are too few.

    By column: floats are normal around the mean (both rounded, so that machines agree), whole numbers lie between two inner quantiles, texts are
    those that come often.
    """
    inputs = make_inputs(specs, rows=rows, seed=seed)
    if known is None or len(next(iter(known.values()))) < MIN_ROWS:
        return inputs
    generator = np.random.default_rng([seed, rows])
    return {spec.name: _alike(known[spec.name][:MAX_ROWS], inputs[spec.name], generator) for spec in specs}


def _alike(known: Array, made: Array, generator: np.random.Generator) -> Array:
    shape = (len(made), *known.shape[1:])
    if known.dtype.kind == "f":
        values = np.where(np.isfinite(known), known.astype(np.float64), np.nan)
        empty = np.isnan(values).all(axis=0)
        values[:, empty] = 0.0
        center, spread = _rounded(np.nanmean(values, axis=0)), _rounded(np.nanstd(values, axis=0))
        return np.asarray((center + spread * generator.standard_normal(shape)).astype(made.dtype))
    if known.dtype.kind in "iu":
        low, high = np.quantile(known, QUANTILES, axis=0, method="nearest")
        return generator.integers(low, high, shape, endpoint=True).astype(made.dtype)
    if known.dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(made.dtype)
    columns = known.reshape(len(known), -1)
    drawn = [_texts(columns[:, at], made.reshape(len(made), -1)[:, at], generator) for at in range(columns.shape[1])]
    return np.stack(drawn, axis=1).reshape(shape)


def _texts(column: Array, made: Array, generator: np.random.Generator) -> Array:
    often = sorted(text for text, times in collections.Counter(column.tolist()).items() if times >= MIN_TIMES)
    return np.array(often, dtype=object)[generator.integers(0, len(often), len(made))] if often else made


def _rounded(values: Array) -> Array:
    """To three digits."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 1e-30)))
    factor = 10.0 ** (DIGITS - 1 - size)
    return np.asarray(np.round(values * factor) / factor)
