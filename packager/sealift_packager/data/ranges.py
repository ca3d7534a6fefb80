"""Numbers of the data that an input's type can't hold. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import DataError
from sealift_packager.model.source import Array

#: Up to it float64 holds every whole number.
MOST_WHOLE: Final = 2**53


def check_whole_numbers(value: Array, spec: TensorSpec, where: str) -> None:
    """Beyond 2^53 not even float64 holds them all."""
    wrong = (value > MOST_WHOLE) | (value < -MOST_WHOLE)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise DataError(
            "whole numbers with more digits than the model's inputs can hold",
            where=where,
            expected=f"at most {MOST_WHOLE} (2^53), for {spec.dtype} and the model's own arithmetic",
            found=f"{value[tuple(place)]} in row {int(place[0])}",
            advice="If they are ids, give the model text, or numbers that start at 0.",
        )


def check_fractions(value: Array, spec: TensorSpec, where: str, *, missing: bool) -> None:
    """Raise `DataError` for a float that isn't whole, where the input is of whole numbers; ``missing`` says that NaN is no fault."""
    wrong = (value != np.trunc(value)) & ~(np.isnan(value) & missing)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        found = f"{value[tuple(place)]} in row {int(place[0])}"
        advice = "Round these values, or name the right column."
        raise DataError("whole numbers are needed", where=where, expected=spec.dtype, found=found, advice=advice)


def check_finite(given: dict[str, Array], inputs: dict[str, Array], where: str, numbers: Array) -> None:
    """Raise `DataError` for a number that became infinite in the input's type, where the model can only be asked with that.

    ``numbers`` are those of the rows in the data.
    """
    for name, value in inputs.items():
        lost = np.isinf(value) & np.isfinite(given[name]) if value.dtype.kind == "f" and given[name].dtype.kind == "f" else np.zeros(1, dtype=bool)
        if lost.any():
            place = np.argwhere(lost)[0]
            raise DataError(
                "a number is out of the range of the input's type",
                where=f"{where}: {name}",
                expected=f"{value.dtype}: at most {np.finfo(value.dtype).max:.6g}",
                found=f"{given[name][tuple(place)]} in row {int(numbers[place[0]])}",
            )


def check_range(value: Array, spec: TensorSpec, where: str) -> None:
    """Numpy would wrap what doesn't fit: 300 becomes 44 as uint8."""
    limits = np.iinfo(spec.numpy_dtype)
    # In a float's own type the greatest int64 is 2^63, which is one too many.
    above = value >= float(limits.max) + 1 if value.dtype.kind == "f" else value > limits.max
    wrong = (value < limits.min) | above
    if wrong.any():
        place = np.argwhere(wrong)[0]
        found = f"{value[tuple(place)]} in row {int(place[0])}"
        raise DataError(
            "a number is out of the range of the input's type", where=where, expected=f"{spec.dtype}: {limits.min} to {limits.max}", found=found
        )
