"""Which rows of many show what a type holds: some from everywhere, and those that float32 moves the most. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sealift_packager.model.source import Array, Arrays


def drawn_rows(total: int, most: int, seed: int = 0) -> Array:
    """The numbers of all rows, or of so many that are drawn from everywhere: files are sorted by time, amount or label."""
    return np.arange(total) if total <= most else np.sort(np.random.default_rng(seed).choice(total, most, replace=False))


def rows_of(arrays: Arrays, numbers: Array) -> dict[str, Array]:
    """The rows of these numbers; where these are all of them in their order, the arrays as they are: they may be large."""
    return {name: value if np.array_equal(numbers, np.arange(len(value))) else value[numbers] for name, value in arrays.items()}


def rows_moved(column: Array, most: int) -> Array:
    """The numbers of the rows of numbers [rows, …] that float32 moves the most, so many of them; none if it holds every number."""
    exact = column.reshape(len(column), -1).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32; an infinity less itself
        error = np.abs(exact - exact.astype(np.float32))
    moved = np.where(np.isnan(error), 0, error).max(axis=1, initial=0.0)
    return np.argpartition(moved, -most)[-most:] if moved.any() else np.array([], dtype=np.int64)


def telling_rows(total: int, most: int, moved: Iterable[Array]) -> Array:
    """The numbers of the rows to ask with: all of them, or the ``moved`` ones and half of ``most`` from everywhere."""
    return np.arange(total) if total <= most else np.unique(np.concatenate([*moved, drawn_rows(total, most // 2)]))
