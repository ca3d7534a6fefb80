"""A table's columns as a model's inputs: one array of them all, or one input [batch, 1] for each. Pure.

One array, as long as all are float32; as soon as one is float64 for its digits, or text, each column that has a name is an input of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.model.source import Array, Arrays

#: The input that holds all columns.
FEATURES: Final = "features"


def column_inputs(names: Sequence[str], width: int, wide: Collection[int]) -> tuple[TensorSpec, ...]:
    """Inputs of numbers for columns of these names (none: for so many without names), float64 for those whose numbers are in ``wide``."""
    if wide and names:
        return tuple(TensorSpec(name=name, dtype=_dtype(at in wide), shape=("batch", 1)) for at, name in enumerate(names))
    description = "columns: " + ", ".join(names) if names else ""
    return (TensorSpec(name=FEATURES, dtype=_dtype(bool(wide)), shape=("batch", width), description=description),)


def _dtype(wide: bool) -> str:
    return "float64" if wide else "float32"


def joined(arrays: Arrays, inputs: Sequence[TensorSpec]) -> Array:
    """Numbers [rows, columns] of all inputs, in their order: as they are if it is one input, else as float64."""
    if len(inputs) == 1:
        return arrays[inputs[0].name]
    return np.concatenate([arrays[spec.name].astype(np.float64) for spec in inputs], axis=1)


def spread(rows: Array, inputs: Sequence[TensorSpec]) -> dict[str, Array]:
    """Numbers [rows, columns] as a request."""
    if len(inputs) == 1:
        return {inputs[0].name: rows.astype(inputs[0].numpy_dtype)}
    return {spec.name: rows[:, at : at + 1].astype(spec.numpy_dtype) for at, spec in enumerate(inputs)}
