"""A boosted ensemble beside its thresholds: skl2onnx and Sealift's converter, each compared with scikit-learn.

A row that lies within a rounding error of a split may take the other branch once thresholds are float32. Such rows are made here without any of
Sealift's code: a holdout row, one feature of it moved to a threshold of the trained trees or to the float32 beside it.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import onnx
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from benchmarks.packager.environments import PROGRAMS, python_of
from benchmarks.packager.tools import last_error
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_batched
from sealift_packager.model.source import LoadOptions

Array = np.ndarray[Any, np.dtype[Any]]
OFF: Final = 0.001


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConverterResult:
    """How a converter did: rows whose probabilities are off by more than `OFF`, the worst of them, labels flipped; or why there is no graph."""

    converter: str
    rows: int
    off: int = 0
    worst: float = 0.0
    flipped: int = 0
    error: str = ""


def compare(folder: Path, rows: int) -> list[ConverterResult]:
    """Sealift's converter, and skl2onnx with the protobuf that Sealift runs with and with an older one, on so many rows."""
    values, target = load_breast_cancer(return_X_y=True)
    seen, held_out, seen_target, _ = train_test_split(values, target, random_state=0)
    model = HistGradientBoostingClassifier(random_state=0).fit(seen, seen_target)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    onnx.save(convert_model(load_model(folder / "model.joblib", LoadOptions(trust_pickle=True))).model, folder / "sealift.onnx")
    near = near_thresholds(model, held_out, rows)
    probabilities = model.predict_proba(near.astype(np.float64))
    pythons = {"skl2onnx, protobuf 7": Path(sys.executable), "skl2onnx, protobuf 6": python_of("skl2onnx")}
    return [
        _judged("Sealift", folder / "sealift.onnx", near, probabilities),
        *(_by_skl2onnx(name, python, folder, near, probabilities) for name, python in pythons.items()),
    ]


def near_thresholds(model: Any, base: Array, rows: int) -> Array:
    """Rows [rows, features] float32: each of ``base`` with one feature at a split's threshold, or at the float32 next to it on either side."""
    draw = np.random.default_rng(0)
    nodes = np.concatenate([tree.nodes for stage in model._predictors for tree in stage])  # noqa: SLF001  (the thresholds stand nowhere else)
    splits = nodes[nodes["is_leaf"] == 0]
    picked = splits[draw.integers(0, len(splits), rows)]
    result = base[draw.integers(0, len(base), rows)].astype(np.float32)
    at = picked["num_threshold"].astype(np.float32)
    sides = np.stack([np.nextafter(at, np.float32(-np.inf)), at, np.nextafter(at, np.float32(np.inf))])
    result[np.arange(rows), picked["feature_idx"]] = sides[draw.integers(0, 3, rows), np.arange(rows)]
    return result


def _by_skl2onnx(name: str, python: Path, folder: Path, near: Array, probabilities: Array) -> ConverterResult:
    out = folder / f"{name.replace(', ', '-').replace(' ', '-')}.onnx"
    argv = [str(python), str(PROGRAMS / "skl2onnx_side.py"), str(folder / "model.joblib"), str(out), str(near.shape[1])]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        return ConverterResult(converter=name, rows=len(near), error=last_error(done.stderr, done.returncode))
    return _judged(name, out, near, probabilities)


def _judged(name: str, graph: Path, near: Array, probabilities: Array) -> ConverterResult:
    session = open_session(onnx.load(graph), Settings(), where=name)
    outputs = run_batched(session, {session.get_inputs()[0].name: near}, batch=1000)
    scores = next(value for value in outputs.values() if value.dtype.kind == "f")
    errors = np.abs(scores - probabilities).max(axis=1)
    flips = int((scores.argmax(axis=1) != probabilities.argmax(axis=1)).sum())
    return ConverterResult(converter=name, rows=len(near), off=int((errors > OFF).sum()), worst=float(errors.max()), flipped=flips)
