"""Which dimension of a model's tensors is the rows of a request. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import ConversionError
from sealift_packager.model.source import Arrays

#: The symbol of the rows: the first dimension, but that of a state, as recurrent networks take it, may be another.
BATCH: Final = "batch"

_ADVICE: Final = (
    "Leave that output out of the graph, or make it return a row for each row of the input (move a selection such as non-maximum "
    "suppression out of the graph). Without --data, the model is packed in fp32 as it is."
)


def fixed_batch(specs: Sequence[TensorSpec]) -> int | None:
    """The batch size of a graph that has only one; None where it is free.

    A state [layers, batch, width] has it as its second dimension: where first dimensions differ, it is the one that all inputs have.
    """
    if any(BATCH in spec.shape for spec in specs):
        return None
    first = [size for spec in specs for size in spec.shape[:1] if isinstance(size, int)]
    common = [size for size in first if all(size in spec.shape[:2] for spec in specs if spec.shape)]
    return next(iter((*common, *first)), None)


def only_batch(specs: Sequence[TensorSpec]) -> int | None:
    """The batch size of requests that are made of rows: the graph's if it has only one, 1 where rows are in another dimension, None for any."""
    batched = (has_rows_first(spec) and not isinstance(spec.shape[0], int) for spec in specs if spec.shape)
    return fixed_batch(specs) or (None if all(batched) else 1)


def has_rows_first(spec: TensorSpec) -> bool:
    """Whether a row of this input is one of its first dimension; not so one number for a whole request, or a state [layers, batch, width]."""
    return bool(spec.shape) and BATCH not in spec.shape[1:]


def check_rows(outputs: Arrays, rows: int, *, where: str) -> None:
    """Raise `ConversionError` for an output that doesn't have a row for each of the request's ``rows``: it can't be evaluated row by row."""
    for name, value in outputs.items():
        if np.ndim(value) == 0 or len(value) != rows:
            shape = str(list(np.shape(value))) if np.ndim(value) else "one value for the whole request"
            raise ConversionError("an output isn't batched", where=f"{where}: {name}", expected=f"[{rows}, …]", found=shape, advice=_ADVICE)
