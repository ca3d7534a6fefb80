"""Requests of any number of rows, made of some rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def take_rows(arrays: Mapping[str, Array], size: int) -> dict[str, Array]:
    """The first ``size`` rows [size, …] of each array; they come again where there are fewer. An array of rank 0 has none and stays as it is."""
    return {name: np.take(value, np.arange(size), axis=0, mode="wrap") if value.ndim else value for name, value in arrays.items()}
