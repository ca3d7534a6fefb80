"""What the source's own library answers: none of this is code of the packager."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from catalog import Answers

#: Output of a bundle → the method of an estimator whose answer it is.
METHODS: Final = {
    "label": "predict",
    "prediction": "predict",
    "probabilities": "predict_proba",
    "scores": "decision_function",
    "distances": "transform",
}
BATCH: Final = 50


def of_estimator(model: Any) -> Answers:
    """Those of an estimator of scikit-learn, or of a booster's wrapper with the same methods."""
    return lambda rows: {output: getattr(model, method)(rows) for output, method in METHODS.items() if hasattr(model, method)}


def of_module(module: torch.nn.Module) -> Answers:
    """Those of a torch module, asked with an array or with arrays by input."""

    def answers(rows: Any) -> list[Any]:
        arrays = list(rows.values()) if isinstance(rows, dict) else [rows]
        with torch.inference_mode():
            given = module.eval()(*map(torch.from_numpy, arrays))
        return [tensor.numpy() for tensor in (given if isinstance(given, tuple) else (given,))]

    return answers


def of_graph(path: Path) -> Answers:
    """Those of onnxruntime on the original file, asked with arrays by input."""

    def answers(rows: Any) -> dict[str, Any]:
        import sealift_core  # noqa: F401  (before onnxruntime: it switches telemetry off)
        import onnxruntime  # isort: skip

        source = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [output.name for output in source.get_outputs()]
        return dict(zip(names, source.run(names, dict(rows)), strict=True))

    return answers


def sizes(rows: Any) -> tuple[Any, ...]:
    """One row, then the next 50: of a table, an array, or arrays by input."""
    if isinstance(rows, dict):
        return tuple(dict(zip(rows, parts, strict=True)) for parts in zip(*map(sizes, rows.values()), strict=True))
    part = rows if isinstance(rows, np.ndarray) else rows.iloc
    return part[:1], part[1 : 1 + BATCH]
