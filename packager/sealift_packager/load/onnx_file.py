"""ONNX as it is, external weights included as long as they lie inside the model's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sealift_packager.convert import graph
from sealift_packager.errors import SourceModelError
from sealift_packager.load import detect
from sealift_packager.load.source import LoadOptions, SourceModel
from sealift_packager.session import Settings, open_session, run_session
from sealift_runtime.bundle.digest import Digest


def load_onnx(path: Path, options: LoadOptions) -> SourceModel:  # noqa: ARG001  (a loader)
    """Read and check an ONNX model; its reference answers are onnxruntime's with every optimization off."""
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors have no common base
        raise SourceModelError(f"can't be parsed ({error})", where=str(path), expected="a whole ONNX file") from error
    if not model.graph.node:
        raise SourceModelError("no graph", where=str(path), expected="an ONNX model with at least one node", found="a file without")
    for tensor in model.graph.initializer:
        _check_external(tensor, path)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise SourceModelError(f"not a valid ONNX model ({str(error).splitlines()[0]})", where=str(path)) from error
    named = graph.name_dimensions(model)
    session = open_session(model, Settings(threads=1, graph_optimization="disable"), where=str(path), error=SourceModelError)
    outputs = tuple(row.name for row in model.graph.output)
    return SourceModel(
        kind=detect.ONNX,
        framework=f"ONNX by {model.producer_name or 'an unnamed tool'} {model.producer_version}".strip(),
        digest=Digest.of_file(path),
        native=model,
        predict=lambda arrays: run_session(session, arrays),
        inputs=graph.input_specs(named),
        outputs=outputs,
    )


def _check_external(tensor: Any, path: Path) -> None:
    import onnx

    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return
    location = next((row.value for row in tensor.external_data if row.key == "location"), "")
    target = (path.parent / location).resolve()
    if not location or Path(location).is_absolute() or not target.is_relative_to(path.parent.resolve()):
        raise SourceModelError("external weights lie outside the model's folder", where=f"{path}: {tensor.name}", found=repr(location))
    if not target.is_file():
        raise SourceModelError("external weights are missing", where=f"{path}: {tensor.name}", expected=str(target))
