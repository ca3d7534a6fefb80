"""Which dimension of a model's tensors is the rows of a request. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sealift_runtime.bundle.tensors import TensorSpec

#: The symbol of the rows: the first dimension, but that of a state, as recurrent networks take it, may be another.
BATCH: Final = "batch"


def fixed_batch(specs: Sequence[TensorSpec]) -> int | None:
    """The batch size of a graph that has only one; None where it is free."""
    return next((size for spec in specs if BATCH not in spec.shape for size in spec.shape[:1] if isinstance(size, int)), None)


def only_batch(specs: Sequence[TensorSpec]) -> int | None:
    """The batch size of requests that are made of rows: the graph's if it has only one, 1 where rows are in another dimension, None for any."""
    return fixed_batch(specs) or (None if all(has_rows_first(spec) or not spec.shape for spec in specs) else 1)


def has_rows_first(spec: TensorSpec) -> bool:
    """Whether a row of this input is one of its first dimension; not so one number for a whole request, or a state [layers, batch, width]."""
    return bool(spec.shape) and BATCH not in spec.shape[1:]
