"""Requests of any number of rows, made of some rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def take_rows(arrays: Mapping[str, Array], size: int) -> dict[str, Array]:
    """Make a request of a given number of rows.

    Args:
        arrays: Inputs by name, ``[rows, …]``; an array of rank 0 has no rows and stays as it is.
        size: How many rows the request is to have.

    Returns:
        The first rows of each array, ``[size, …]``; they come again where there are fewer.
    """
    return {name: np.take(value, np.arange(size), axis=0, mode="wrap") if value.ndim else value for name, value in arrays.items()}
