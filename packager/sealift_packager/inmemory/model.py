"""A live model → a file that a loader reads."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError, SourceModelError
from sealift_packager.quiet import quiet

_EXPECTED: Final = "a path, a scikit-learn estimator, an XGBoost, LightGBM or CatBoost model, an nn.Module, an exported program, or an ONNX model"


def write_model(model: Any, folder: Path, data: Path | None, example_inputs: Any = None, dynamic_shapes: Any = None) -> Path:
    """The path of the model: itself if it is one, else a file in ``folder``; `SourceModelError`, or `ConversionError` if torch can't trace it.

    A name in the class's ancestry says whose an object is, so no framework is imported to find out.
    """
    if isinstance(model, (str, Path)):
        return Path(model)
    families = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(model).__mro__}
    if "torch.Module" in families:
        return _export(model, folder, _examples(model, data, example_inputs), dynamic_shapes)
    if "torch.ExportedProgram" in families:
        return _save_program(model, folder)
    if "onnx.ModelProto" in families or type(model).__name__ == "ModelProto":
        (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        return folder / "model.onnx"
    if {"xgboost.Booster", "lightgbm.Booster", "catboost.CatBoost"} & families:
        path = folder / ("model.txt" if "lightgbm.Booster" in families else "model.cbm" if "catboost.CatBoost" in families else "model.ubj")
        model.save_model(str(path))
        return path
    if "sklearn.BaseEstimator" in families:
        import joblib

        joblib.dump(model, folder / "model.joblib")
        return folder / "model.joblib"
    raise SourceModelError("not a model", where="model", expected=_EXPECTED, found=f"{type(model).__module__}.{type(model).__qualname__}")


def _examples(module: Any, data: Path | None, given: Any) -> dict[str, Any]:
    """One request by input name, in the forward's order."""
    parameters = inspect.signature(module.forward).parameters.values()
    names = [row.name for row in parameters if row.kind in (row.POSITIONAL_ONLY, row.POSITIONAL_OR_KEYWORD)]
    required = [row.name for row in parameters if row.default is row.empty and row.name in names]
    found: Mapping[str, Any] = {}
    if isinstance(given, Mapping):
        found = given
    elif given is not None:
        found = dict(zip(names, given if isinstance(given, Sequence) else [given], strict=False))
    elif data is not None and data.suffix == ".npz":
        with np.load(data, allow_pickle=False) as archive:
            found = {name: archive[name] for name in names if name in archive.files}
    if not set(required) <= set(found):
        advice = "Give data with arrays of these names, or example_inputs=."
        raise SourceModelError(
            "no example inputs", where=type(module).__name__, expected=", ".join(required), found=", ".join(found) or "none", advice=advice
        )
    return {name: _rows(found[name]) for name in names if name in found}


def _rows(value: Any) -> Any:
    """Two rows (a size of 1 would be taken for a constant), float32 for float64, which modules hold."""
    array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    pair = array[:2] if len(array) > 1 else np.concatenate([array, array])
    return pair.astype(np.float32) if pair.dtype == np.float64 else pair


def _export(module: Any, folder: Path, examples: dict[str, Any], dynamic_shapes: Any) -> Path:
    import torch

    batch = torch.export.Dim("batch", min=1)
    shapes = dynamic_shapes if dynamic_shapes is not None else tuple({0: batch} for _ in examples)
    training = module.training
    try:
        with quiet():
            program = torch.export.export(module.eval(), tuple(map(torch.from_numpy, examples.values())), dynamic_shapes=shapes)
    except Exception as error:  # the user's forward and torch's tracing raise anything
        raise ConversionError(
            f"torch.export can't trace the module ({type(error).__name__}: {(str(error).splitlines() or ['no message'])[0]})",
            where=type(module).__name__,
            expected="a forward that works for every batch size",
            advice="See https://pytorch.org/docs/stable/export.html for what can be traced.",
        ) from error
    finally:
        module.train(training)
    return _save_program(program, folder)


def _save_program(program: Any, folder: Path) -> Path:
    import torch

    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"
