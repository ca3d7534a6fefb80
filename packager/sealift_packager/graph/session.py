"""The only place of the packager that opens onnxruntime's sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime

from sealift_packager.errors import ConversionError, PackagerError, first_line
from sealift_packager.graph.settings import Settings
from sealift_packager.graph.tensors import SMALL_BYTES, references
from sealift_packager.model.batch import check_rows
from sealift_packager.model.source import Array, Arrays
from sealift_packager.sandbox.activity import ANSWERING, OPENING, during, rows_of

__all__ = ["FATAL", "Settings", "fill", "open_file", "open_session", "run_batched", "run_session", "save_optimized"]

_LEVELS: Final = {
    "disable": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
FATAL: Final = 4


def open_session(model: onnx.ModelProto, settings: Settings, *, where: str, error: type[PackagerError] = ConversionError) -> Any:
    """A session on the CPU for an ONNX model (a ``ModelProto``; weights that it refers to are mapped).

    Raises ``error`` if onnxruntime can't load it.
    """
    mapped = {name: onnxruntime.OrtValue.ortvalue_from_numpy(values) for name, values in references(model)}
    return _open(model, _options(settings, mapped), mapped, where, error)


def open_file(path: Path, settings: Settings) -> Any:
    """A session on the CPU for a graph's file and the weights beside it, as a device opens it; `ConversionError` if onnxruntime can't load it."""
    try:
        with during(OPENING):
            return onnxruntime.InferenceSession(str(path), _options(settings, {}), providers=["CPUExecutionProvider"])
    except Exception as cause:  # as below
        raise ConversionError(f"onnxruntime can't load the graph (caused by: {first_line(cause)})", where=path.name) from cause


def save_optimized(model: onnx.ModelProto, path: Path) -> None:
    """Write the graph as onnxruntime's basic optimizations leave it, its weights in a file beside it; `ConversionError`."""
    mapped = {name: onnxruntime.OrtValue.ortvalue_from_numpy(values) for name, values in references(model)}
    options = _options(Settings(graph_optimization="basic", entries={"session.disable_prepacking": "1"}), mapped)
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{path.stem}.bin")
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", str(SMALL_BYTES))
    _open(model, options, mapped, path.name, ConversionError)


def _open(model: onnx.ModelProto, options: Any, mapped: Mapping[str, Any], where: str, error: type[PackagerError]) -> Any:
    try:
        with during(OPENING):
            session: Any = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # onnxruntime's errors have no common base
        raise error(f"onnxruntime can't load the graph (caused by: {first_line(cause)})", where=where) from cause
    session.mapped = mapped  # onnxruntime holds pointers into these arrays, but not the arrays
    return session


def _options(settings: Settings, mapped: Mapping[str, Any]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = _LEVELS[settings.graph_optimization]
    options.log_severity_level = FATAL
    for key, value in settings.config.items():
        options.add_session_config_entry(key, value)
    if mapped:
        options.add_external_initializers(list(mapped), list(mapped.values()))
    if settings.graph_optimization == "disable":  # where nothing is folded, the mapped values can be used where they lie
        for name, value in mapped.items():
            options.add_initializer(name, value)
    return options


def run_session(session: Any, inputs: Arrays) -> dict[str, Array]:
    """All outputs of one request, by name."""
    names = [output.name for output in session.get_outputs()]
    try:
        with during(ANSWERING, rows=rows_of(inputs)):
            return dict(zip(names, session.run(names, dict(inputs)), strict=True))
    except Exception as cause:  # as above
        raise ConversionError(f"onnxruntime can't run the graph (caused by: {first_line(cause)})", where="model.onnx") from cause


def run_batched(session: Any, inputs: Arrays, batch: int = 64) -> dict[str, Array]:
    """All outputs for many rows, run in batches: the graph's own where its first dimension is fixed, the last one filled up, its answer cut."""
    rows = len(next(iter(inputs.values())))
    fixed = [input_.shape[0] for input_ in session.get_inputs() if input_.shape and isinstance(input_.shape[0], int)]
    size = fixed[0] if fixed else batch
    parts = [{name: value[at : at + size] for name, value in inputs.items()} for at in range(0, rows, size)]
    if fixed:
        parts[-1] = fill(parts[-1], size)
    answers = [run_session(session, part) for part in parts]
    for part, answer in zip(parts, answers, strict=True):
        check_rows(answer, len(next(iter(part.values()))), where="model.onnx")
    return {name: np.concatenate([answer[name] for answer in answers])[: rows if fixed else None] for name in answers[0]}


def fill(arrays: Arrays, rows: int) -> dict[str, Array]:
    """A request of ``rows`` rows, or more if there are: the last one is repeated."""
    return {name: np.concatenate([value, np.repeat(value[-1:], max(0, rows - len(value)), axis=0)]) for name, value in arrays.items()}
