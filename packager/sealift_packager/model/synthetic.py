"""Made-up inputs that follow from the specs and a seed alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.model.accepted import ANYTHING, Accepted
from sealift_packager.model.batch import BATCH
from sealift_packager.model.source import Array

#: The size of a free dimension other than the batch, where none is asked for.
FREE_SIZE: Final = 8
WORDS: Final = ("", "a", "unseen category", "größe")


NO_SIZES: Final[Mapping[str, int]] = MappingProxyType({})


def make_inputs(
    specs: Sequence[TensorSpec],
    *,
    rows: int,
    seed: int,
    scale: float = 1.0,
    sizes: Mapping[str, int] = NO_SIZES,
    accepted: Accepted = ANYTHING,
) -> dict[str, Array]:
    """Normal values for floats, 0 and 1 for integers (they may be indices), some words for text; ``sizes`` are those of free dimensions by symbol.

    Sizes that aren't given, and values of inputs that take only some, are the usual ones of ``accepted``.
    """
    generator = np.random.default_rng([seed, rows])
    sizes = {**usual_sizes(specs, accepted), **sizes}
    # without asarray what has no dimension is no array
    made = {spec.name: np.asarray(_values(spec, concrete_shape(spec, rows, sizes), scale, generator), spec.numpy_dtype) for spec in specs}
    return {name: _as_accepted(name, value, accepted, generator) for name, value in made.items()}


def usual_sizes(specs: Sequence[TensorSpec], accepted: Accepted, *, number: int = 0) -> dict[str, int]:
    """The usual size of each symbol that takes only some, or another one (`Accepted.size_of`)."""
    return {symbol: accepted.size_of(symbol, FREE_SIZE, number=number) for symbol in free_symbols(specs) if symbol in accepted.sizes}


def concrete_shape(spec: TensorSpec, rows: int, sizes: Mapping[str, int] = NO_SIZES) -> tuple[int, ...]:
    """A spec's shape with its free dimensions given sizes; a fixed batch stays what it is."""
    free = {**sizes, BATCH: rows} | dict.fromkeys(spec.shape[:1], rows)
    return tuple(size if isinstance(size, int) else free.get(size, FREE_SIZE) for size in spec.shape)


def _as_accepted(name: str, made: Array, accepted: Accepted, generator: np.random.Generator) -> Array:
    """The usual value where only some will do; whole numbers within the range of examples."""
    if name in accepted.values:
        return np.full(made.shape, accepted.values[name][0]).astype(made.dtype)
    seen = [example[name] for example in accepted.examples if name in example and example[name].size]
    if made.dtype.kind not in "iu" or not seen:
        return made
    low, high = min(value.min() for value in seen), max(value.max() for value in seen)
    return np.asarray(generator.integers(low, high, made.shape, dtype=made.dtype, endpoint=True))


def free_symbols(specs: Sequence[TensorSpec]) -> tuple[str, ...]:
    """The symbols of free dimensions other than the batch, each once."""
    return tuple(dict.fromkeys(size for spec in specs for size in spec.shape[1:] if isinstance(size, str) and size != BATCH))


def _values(spec: TensorSpec, shape: tuple[int, ...], scale: float, generator: np.random.Generator) -> Array:
    dtype = spec.numpy_dtype
    if dtype.kind == "f":
        return (generator.standard_normal(shape) * scale).astype(dtype)
    if dtype.kind == "O":
        return np.array(WORDS, dtype=object)[generator.integers(0, len(WORDS), shape)]
    return generator.integers(0, 2, shape).astype(dtype)
