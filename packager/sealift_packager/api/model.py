"""A live model → a file that a loader reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.data.files import read_columns
from sealift_packager.errors import SourceModelError
from sealift_packager.graph import weights as assemble
from sealift_packager.graph.tensors import size_bytes
from sealift_packager.measure.arrays import write_npz
from sealift_packager.model.source import INLINE_BYTES
from sealift_packager.progress.quiet import quiet
from sealift_packager.torch.common import forward_inputs, pick_rows, predictor, try_out, typed_examples
from sealift_packager.torch.trace import trace

_EXPECTED: Final = "a path, a scikit-learn estimator, an XGBoost, LightGBM or CatBoost model, an nn.Module, an exported program, or an ONNX model"


def write_model(
    model: Any, folder: Path, data: Path | None, example_inputs: Any = None, dynamic_shapes: Any = None, *, target: str | None = None
) -> Path:
    """Write a live model to a file that a loader reads.

    A name in the class's ancestry says whose an object is, so no framework is imported to find out.

    Args:
        model: The model, or its path.
        folder: Where the file goes.
        data: The holdout's file, which an ``nn.Module``'s example inputs may be taken from; None for none.
        example_inputs: An ``nn.Module``'s inputs by name, or in the forward's order, each ``[rows, …]``; None to take those of ``data``.
        dynamic_shapes: What is free beside the batch, as ``torch.export.export`` takes it.
        target: The name of the target among the data.

    Returns:
        The file's path; ``model`` itself if it is a path.

    Raises:
        SourceModelError: If it is no model, or there are no example inputs.
        ConversionError: If torch can't trace it.
    """
    if isinstance(model, (str, Path)):
        return Path(model)
    families = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(model).__mro__}
    if "torch.ScriptModule" in families:
        with quiet():
            model.save(str(folder / "model.pt"))
        return folder / "model.pt"
    if "torch.Module" in families:
        return _export(model, folder, _rows(model, data, example_inputs, folder, target), dynamic_shapes)
    if "torch.ExportedProgram" in families:
        return _save_program(model, folder)
    if "onnx.ModelProto" in families or type(model).__name__ == "ModelProto":
        return _save_graph(model, folder / "model.onnx")
    if {"xgboost.Booster", "lightgbm.Booster", "catboost.CatBoost"} & families:
        path = folder / ("model.txt" if "lightgbm.Booster" in families else "model.cbm" if "catboost.CatBoost" in families else "model.ubj")
        model.save_model(str(path))
        return path
    if "sklearn.BaseEstimator" in families:
        import joblib

        joblib.dump(model, folder / "model.joblib")
        return folder / "model.joblib"
    raise SourceModelError("not a model", where="model", expected=_EXPECTED, found=f"{type(model).__module__}.{type(model).__qualname__}")


def write_example(model: Any, example_inputs: Any, folder: Path) -> tuple[Path, ...]:
    """Write a whole request, where ``example_inputs`` are such a one: those of TorchScript by name.

    Args:
        model: A model, or its path.
        example_inputs: What was given as such, by name where it is a request.
        folder: Where the file is written.

    Returns:
        The file; nothing for other models.
    """
    if not hasattr(model, "code_with_constants") or not isinstance(example_inputs, Mapping):
        return ()
    write_npz(folder / "example.npz", {name: np.asarray(value) for name, value in example_inputs.items()})
    return (folder / "example.npz",)


def _save_graph(model: Any, path: Path) -> Path:
    """In one message where it fits; else with its weights beside it."""
    if sum(map(size_bytes, model.graph.initializer)) > INLINE_BYTES:  # ByteSize fails beyond 2 GiB
        assemble.write_model(model, path.parent)
    else:
        path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def _rows(module: Any, data: Path | None, given: Any, folder: Path, target: str | None) -> dict[str, Any]:
    """The rows that there are by input name, in the forward's order."""
    names, required = forward_inputs(module)
    available: Mapping[str, Any] = {}
    if isinstance(given, Mapping):
        available = given
    elif given is not None:
        available = dict(zip(names, given if isinstance(given, Sequence) else [given], strict=False))
    elif data is not None and data.is_file():
        available = read_columns(data, folder)
    arrays = {name: np.asarray(value.detach() if hasattr(value, "detach") else value) for name, value in available.items()}
    rows = pick_rows(arrays, names, required, target)
    if rows is None:
        advice = "Pass data with arrays of these names, or example_inputs=."
        raise SourceModelError(
            "no example inputs",
            where=type(module).__name__,
            expected=", ".join(required or names),
            found=", ".join(available) or "none",
            advice=advice,
        )
    for name, value in rows.items():
        if not value.ndim or not len(value):
            found = f"{value.dtype} {list(value.shape)}"
            raise SourceModelError("an example without rows", where=f"{type(module).__name__}: {name}", expected="[rows, …]", found=found)
    return {name: _at_least_two(value) for name, value in rows.items()}


def _at_least_two(array: Any) -> Any:
    """Two rows at least: a size of 1 would be taken for a constant."""
    return array if len(array) > 1 else np.concatenate([array, array])


def _export(module: Any, folder: Path, rows: dict[str, Any], dynamic_shapes: Any) -> Path:
    import torch

    shapes = dynamic_shapes if dynamic_shapes is not None else {name: {0: "batch"} for name in rows}
    if isinstance(shapes, Mapping):
        shapes = {name: shapes.get(name) for name in rows}
    training = module.training
    try:
        where = type(module).__name__
        examples = typed_examples(torch, module.eval(), rows, where=where)
        try_out(predictor(torch, module, list(examples), by_name=True), examples, where=where)
        return _save_program(trace(module, examples, shapes), folder)
    finally:
        module.train(training)


def _save_program(program: Any, folder: Path) -> Path:
    import torch

    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"
