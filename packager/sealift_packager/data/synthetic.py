"""Made-up inputs that follow from the specs and a seed alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sealift_packager.load.source import Array
from sealift_runtime.bundle.tensors import TensorSpec

#: The size of a free dimension other than the batch.
FREE_SIZE: Final = 8
WORDS: Final = ("", "a", "unseen category", "größe")


def make_inputs(specs: Sequence[TensorSpec], *, rows: int, seed: int, scale: float = 1.0) -> dict[str, Array]:
    """Normal values for floats, 0 and 1 for integers (they may be indices), some words for text."""
    generator = np.random.default_rng([seed, rows])
    return {spec.name: _values(spec, rows, scale, generator) for spec in specs}


def concrete_shape(spec: TensorSpec, rows: int) -> tuple[int, ...]:
    """A spec's shape with its free dimensions given sizes; a fixed batch stays what it is."""
    return tuple(size if isinstance(size, int) else (rows if axis == 0 else FREE_SIZE) for axis, size in enumerate(spec.shape))


def _values(spec: TensorSpec, rows: int, scale: float, generator: np.random.Generator) -> Array:
    shape = concrete_shape(spec, rows)
    dtype = spec.numpy_dtype
    if dtype.kind == "f":
        return (generator.standard_normal(shape) * scale).astype(dtype)
    if dtype.kind == "O":
        return np.array(WORDS, dtype=object)[generator.integers(0, len(WORDS), shape)]
    return generator.integers(0, 2, shape).astype(dtype)
