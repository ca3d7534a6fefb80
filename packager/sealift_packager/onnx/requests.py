"""A whole request that somebody gave, as the model's inputs have it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import DataError
from sealift_packager.model.accepted import UNNAMED, Array


def as_request(arrays: dict[str, Array], specs: Sequence[TensorSpec], where: str) -> dict[str, Array]:
    """The arrays in the inputs' types; `DataError` for a value that would change, or a shape that doesn't fit."""
    if UNNAMED in arrays:
        arrays = {spec.name: arrays[UNNAMED] for spec in specs[:1]}
    by_name = {spec.name: spec for spec in specs}
    return {name: _typed(value, by_name[name], f"{where}: {name}") if name in by_name else value for name, value in arrays.items()}


def _typed(value: Array, spec: TensorSpec, where: str) -> Array:
    if value.ndim != len(spec.shape) and value.size == 1 and len(spec.shape) < 2:
        value = value.reshape((1,) * len(spec.shape))
    fits = value.ndim == len(spec.shape) and all(isinstance(size, str) or size == given for size, given in zip(spec.shape, value.shape, strict=True))
    if not fits or not value.size:
        raise DataError("wrong shape", where=where, expected=str(list(spec.shape)), found=str(list(value.shape)))
    if (spec.dtype == "string") != (value.dtype.kind == "O"):
        raise DataError("wrong type", where=where, expected=spec.dtype, found="text" if value.dtype.kind == "O" else str(value.dtype))
    with np.errstate(all="ignore"):
        typed = value.astype(spec.numpy_dtype)
        changed = spec.numpy_dtype.kind in "iub" and not np.array_equal(typed.astype(value.dtype), value)
    if changed:
        raise DataError("numbers that the input's type can't hold", where=where, expected=spec.dtype, found=str(value.dtype))
    return np.ascontiguousarray(typed).reshape(value.shape)
