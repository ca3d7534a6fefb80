"""Arrays and tables → a holdout file."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.build.isolated import input_names
from sealift_packager.errors import DataError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.measure.arrays import write_npz
from sealift_packager.model import detect
from sealift_packager.model.columns import FEATURES
from sealift_packager.model.source import Array, LoadOptions, WeightPlace

FILE: Final = "data.npz"
#: Of a sparse matrix, made dense.
MOST_VALUES: Final = 2**27
_MOST: Final = f"at most {MOST_VALUES:,} values"
_EXPECTED: Final = "a path, (X, y), a mapping of arrays, a pandas table, or a function that gives one of these"


def write_data(data: Any, folder: Path, model: Any, *, target: str, options: LoadOptions) -> Path | None:
    """The path of the holdout: ``data`` itself if it is one, None if there is none, else a file in ``folder``; `DataError`.

    A function is called for it.
    """
    if data is None or isinstance(data, (str, Path)):
        return None if data is None else Path(data)
    if callable(data) and not _is_table(data):
        return write_data(data(), folder, model, target=target, options=options)
    arrays = _arrays(data, model, target, dataclasses.replace(options, place=WeightPlace(folder=folder)))
    write_npz(folder / FILE, arrays)
    return folder / FILE


def _arrays(data: Any, model: Any, target: str, options: LoadOptions) -> dict[str, Array]:
    if isinstance(data, tuple) and len(data) == 2:
        inputs, labels = data
        if (isinstance(inputs, Mapping) and not _is_sparse(inputs)) or _is_table(inputs):
            named = _by_name(inputs)
        else:
            named = {_only_input(model, options): _array(inputs, "X")}
        if target in named:
            raise DataError(
                "X contains a column with the name of the target",
                where=f"data: {target}",
                advice="Leave it out of X, or choose another name with target=.",
            )
        return named | {target: _array(labels, "y")}
    if isinstance(data, Mapping) or _is_table(data):
        return _by_name(data)
    raise DataError(
        "this type of data is not supported", where="data", expected=_EXPECTED, found=f"{type(data).__module__}.{type(data).__qualname__}"
    )


def _is_table(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "to_numpy")


def _by_name(values: Any) -> dict[str, Array]:
    names = list(values.columns) if _is_table(values) else list(values)
    return {str(name): _column(values[name], str(name)) for name in names}


def _array(values: Any, name: str) -> Array:
    """Values as a dense array; `DataError` where a dense one says something else, or would fill the memory."""
    if _is_sparse(values):
        size = math.prod(values.shape)
        if size > MOST_VALUES:
            found = f"{' × '.join(f'{length:,}' for length in values.shape)} values"
            advice = "A holdout of a few thousand rows is enough; pass X[:2000]."
            raise DataError("a sparse matrix that is too large as a dense one", where=f"data: {name}", expected=_MOST, found=found, advice=advice)
        return np.asarray(values.toarray())
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        advice = "Fill them as the model expects it, as with .filled(numpy.nan)."
        raise DataError("masked values", where=f"data: {name}", expected="an array without a mask", advice=advice)
    try:
        return np.asarray(values.detach() if hasattr(values, "detach") else values)
    except ValueError as error:
        raise DataError("not an array", where=f"data: {name}", expected="rows of equal length", advice="Pad them to one length.") from error


def _is_sparse(values: Any) -> bool:
    """Whether it is one of scipy's arrays or matrices, one of which is a mapping too."""
    return hasattr(values, "tocsr") and hasattr(values, "toarray")


def _column(values: Any, name: str) -> Array:
    """One column; what is missing in text is empty text, as in a CSV file."""
    array = _array(values, name)
    if array.dtype.kind != "O":
        return array
    return np.array(["" if _is_missing(item) else str(item) for item in array.ravel()], dtype=object).reshape(array.shape)


def _is_missing(item: Any) -> bool:
    import pandas as pd

    if item is None or item is pd.NA:  # NA is equal to nothing, and unequal to nothing either
        return True
    return not isinstance(item, (np.ndarray, list, tuple)) and bool(item != item)


def _only_input(model: Any, options: LoadOptions) -> str:
    """The name of the input that a bare array is for."""
    if isinstance(model, (str, Path)):
        return _input_of_file(Path(model), options)
    if hasattr(model, "code_with_constants"):  # TorchScript's forward has a signature of its own
        names = [argument.name for argument in model.forward.schema.arguments[1:] if not argument.has_default_value()]
    elif hasattr(model, "forward"):
        names = list(inspect.signature(model.forward).parameters)
    elif hasattr(model, "graph_signature"):
        names = list(model.graph_signature.user_inputs)
    elif hasattr(model, "SerializeToString"):
        weights = {tensor.name for tensor in model.graph.initializer}
        names = [input_.name for input_ in model.graph.input if input_.name not in weights]
    else:
        return FEATURES
    return _single(names)


def _input_of_file(path: Path, options: LoadOptions) -> str:
    if detect.format_of(path, options.format) in (detect.TORCH_STATE, detect.TORCH_SCRIPT):
        raise DataError("an array without a name", where="data", advice="Name the module's inputs: data=({'image': X}, y).")
    if options.trust_pickle or options.factory:
        return _single([spec.name for spec in load_model(path, options).inputs])
    return _single(input_names(path, options))


def _single(names: list[str]) -> str:
    if len(names) != 1:
        advice = "Name them: data=({'left': …, 'right': …}, y)."
        raise DataError("an array without a name, and the model has several inputs", where="data", expected=", ".join(names), advice=advice)
    return names[0]
