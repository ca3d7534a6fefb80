"""One value per row of a tensor: a column, a summary of the row, or what a row of class probabilities says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

#: Rows are measured in chunks of about this many elements, so a large tensor isn't copied as float64 at once.
CHUNK_ELEMENTS: Final = 2**20
#: The kinds of dtypes that are numbers, and those that are texts; whatever a device is sent, nothing else is counted as either.
NUMBERS: Final = "biuf"
_TEXTS: Final = "OSU"


def measure(statistic: str, index: int, array: Array) -> Array:
    """Take a statistic of each row.

    Args:
        statistic: One of `STATISTICS`.
        index: The column for the statistic ``column``; 0 for all others.
        array: The tensor, ``[rows, …]``.

    Returns:
        One value per row, ``[rows]``. ``value`` and ``column`` keep their dtype. Everything else is float64, NaN where a row has none: a row of no
        elements, a class among scores that aren't all finite, a column that the tensor doesn't have, a mean of texts, a length of numbers.
    """
    rows = array.reshape(len(array), -1) if array.size else np.empty((len(array), 0), dtype=array.dtype)
    if statistic in ("value", "column"):
        return rows[:, index] if index < rows.shape[1] else absent(len(rows), array.dtype)
    if not rows.shape[1] or rows.dtype.kind not in (_TEXTS if statistic == "length" else NUMBERS):
        return np.full(len(rows), np.nan)
    step = max(1, CHUNK_ELEMENTS // rows.shape[1])
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return np.concatenate([_SUMMARIES[statistic](rows[at : at + step]) for at in range(0, len(rows), step)])


def absent(rows: int, dtype: np.dtype[Any]) -> Array:
    """Make a column of missing values.

    Args:
        rows: How many.
        dtype: The dtype of the tensor that has no such column.

    Returns:
        None for text, ``object [rows]``; NaN for all else, ``float64 [rows]``.
    """
    return np.full(rows, None, dtype=object) if dtype.kind in _TEXTS else np.full(rows, np.nan)


def _mean(rows: Array) -> Array:
    return np.asarray(rows.mean(axis=1, dtype=np.float64))


def _std(rows: Array) -> Array:
    return np.asarray(rows.std(axis=1, dtype=np.float64))


def _min(rows: Array) -> Array:
    return np.asarray(rows.min(axis=1).astype(np.float64))


def _max(rows: Array) -> Array:
    return np.asarray(rows.max(axis=1).astype(np.float64))


def _zeros(rows: Array) -> Array:
    return np.asarray((rows == 0).mean(axis=1))


def _length(rows: Array) -> Array:
    return np.array([float(len(text)) if isinstance(text, str | bytes) else np.nan for text in rows[:, 0].tolist()])


def _class(rows: Array) -> Array:
    return np.where(np.isfinite(rows).all(axis=1), rows.argmax(axis=1), np.nan)


def _entropy(rows: Array) -> Array:
    p = np.maximum(rows.astype(np.float64), 0.0)
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=1))


_SUMMARIES: Final[Mapping[str, Callable[[Array], Array]]] = {
    "mean": _mean,
    "std": _std,
    "min": _min,
    "max": _max,
    "zeros": _zeros,
    "length": _length,
    "class": _class,
    "top_probability": _max,
    "entropy": _entropy,
}
#: ``length`` is a text's number of characters; ``class`` the place of the largest score; ``entropy`` is in bits.
STATISTICS: Final = ("value", "column", *_SUMMARIES)
