"""What both torch loaders share: arrays to tensors and back, and names for outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sealift_packager.errors import SourceModelError
from sealift_packager.load.source import Array, Arrays


def import_torch(where: Path) -> Any:
    """The torch module; `SourceModelError` says how to install it."""
    try:
        import torch
    except ImportError as error:
        raise SourceModelError("torch is not installed", where=str(where), advice="pip install 'sealift-packager[torch]'") from error
    return torch


def output_names(count: int) -> tuple[str, ...]:
    """``output``, or ``output_0``, ``output_1``, …: torch has no names for what a forward returns."""
    return ("output",) if count == 1 else tuple(f"output_{i}" for i in range(count))


def flatten(result: Any) -> list[Any]:
    """The tensors of a forward's result, in torch's own order."""
    from torch.utils import _pytree

    return [leaf for leaf in _pytree.tree_leaves(result) if hasattr(leaf, "detach")]


def predictor(torch: Any, call: Callable[..., Any], inputs: Sequence[str]) -> Callable[[Arrays], dict[str, Array]]:
    """``predict`` of a `SourceModel` around a module that takes its inputs by position."""

    def predict(arrays: Arrays) -> dict[str, Array]:
        with torch.inference_mode():
            leaves = flatten(call(*(torch.from_numpy(np.array(arrays[name])) for name in inputs)))
        return dict(zip(output_names(len(leaves)), (leaf.detach().cpu().numpy() for leaf in leaves), strict=True))

    return predict


def numpy_dtype(torch: Any, dtype: Any) -> str:
    """A torch dtype's name in a manifest."""
    return str(torch.empty(0, dtype=dtype).numpy().dtype)


def as_arrays(values: Any, names: Sequence[str], *, where: str) -> dict[str, Array]:
    """Example inputs as a factory's module gives them (a mapping, a tensor, or several), by input name."""
    if isinstance(values, Mapping):
        found = dict(values)
    else:
        rows = list(values) if isinstance(values, (tuple, list)) else [values]
        found = dict(zip(names, rows, strict=False))
    if not set(found) <= set(names) or not found:
        raise SourceModelError(
            "example inputs don't fit the model's forward", where=where, expected=", ".join(names), found=", ".join(map(str, found))
        )
    return {name: np.asarray(found[name]) for name in names if name in found}
