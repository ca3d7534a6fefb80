"""A table's columns as a model's inputs: one array of them all, or one input [batch, 1] for each. Pure.

One array, as long as all are float32; as soon as one is float64 for its digits, or text, each column that has a name is an input of its own (of
numbers at most as many as a bundle has inputs). Or as somebody says with ``--inputs``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import SourceModelError
from sealift_packager.model.source import COLUMNS, Arrangement, Array, Arrays

#: The input that holds all columns.
FEATURES: Final = "features"
#: As the columns themselves decide.
RULED: Final = Arrangement()


def column_inputs(names: Sequence[str], width: int, wide: Collection[int], arrangement: Arrangement = RULED) -> tuple[TensorSpec, ...]:
    """Inputs of numbers for columns of these names (none: for so many without names), float64 for those whose numbers are in ``wide``.

    Raises `SourceModelError` if each is to be an input, and they have no names or are too many.
    """
    if arrangement.form == COLUMNS:
        apart: Sequence[str] = names or arrangement.names
        _check_apart(apart, width)
    else:
        apart = names if arrangement.form is None and wide and len(names) <= LIMITS.tensors else ()
    if apart:
        return tuple(TensorSpec(name=name, dtype=_dtype(at in wide), shape=("batch", 1)) for at, name in enumerate(apart))
    return (TensorSpec(name=FEATURES, dtype=_dtype(bool(wide)), shape=("batch", width), columns=tuple(names)),)


def _check_apart(names: Sequence[str], width: int) -> None:
    """Raise `SourceModelError` unless each of so many columns has a name, and can be an input of its own."""
    if len(names) == width <= LIMITS.tensors:
        return
    if width > LIMITS.tensors:
        raise SourceModelError(
            "there are more columns than a bundle can have inputs",
            where="--inputs columns",
            expected=f"at most {LIMITS.tensors:,} columns",
            found=f"{width:,}",
            advice="Leave --inputs out: the columns are one array then.",
        )
    raise SourceModelError(
        "the columns have no names, so they can't be inputs of their own",
        where="--inputs columns",
        expected=f"a name for each of {width:,} columns, in the model or in --data",
        found=f"{len(names):,} names" if names else "a model that was fitted on an array",
        advice="Fit the model on a table with column names, or leave --inputs out.",
    )


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
