"""Anonymized rows: like the data's, but drawn from statistics that no single row decides. Pure."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.model.accepted import ANYTHING, Accepted
from sealift_packager.model.source import Array, Arrays
from sealift_packager.model.synthetic import make_inputs

#: Statistics of fewer rows would tell of single ones; then rows are synthetic.
MIN_ROWS: Final = 20
#: More rows change a mean by less than what is rounded away.
MAX_ROWS: Final = 1024
#: A text of fewer rows might be somebody's.
MIN_TIMES: Final = 5
DIGITS: Final = 3
QUANTILES: Final = (0.1, 0.9)


def make_anonymized(specs: Sequence[TensorSpec], observed: Arrays | None, *, rows: int, seed: int, accepted: Accepted = ANYTHING) -> dict[str, Array]:
    """``rows`` requests in the range of the ``observed`` ones, which a device may see; synthetic ones where there are too few.

    By column: floats are normal around the mean (both rounded, so that machines agree), whole numbers lie between two inner quantiles, texts are
    those that come often.
    """
    inputs = make_inputs(specs, rows=rows, seed=seed, accepted=accepted)
    if observed is None or len(next(iter(observed.values()))) < MIN_ROWS:
        return inputs
    generator = np.random.default_rng([seed, rows])
    return {spec.name: _anonymized(observed[spec.name][:MAX_ROWS], inputs[spec.name], generator) for spec in specs}


def _anonymized(observed: Array, made: Array, generator: np.random.Generator) -> Array:
    shape = (len(made), *observed.shape[1:])
    if observed.dtype.kind == "f":
        values = np.where(np.isfinite(observed), observed.astype(np.float64), np.nan)
        empty = np.isnan(values).all(axis=0)
        values[:, empty] = 0.0
        center, spread = _rounded(np.nanmean(values, axis=0)), _rounded(np.nanstd(values, axis=0))
        return np.asarray((center + spread * generator.standard_normal(shape)).astype(made.dtype))
    if observed.dtype.kind in "iu":
        low, high = np.quantile(observed, QUANTILES, axis=0, method="nearest")
        width = np.uint64 if observed.dtype == np.uint64 else np.int64  # hashes lie beyond the largest int64
        return generator.integers(low, high, shape, dtype=width, endpoint=True).astype(made.dtype)
    if observed.dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(made.dtype)
    columns = observed.reshape(len(observed), -1)
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
