"""Two model.onnx with their weights: operator sets, inputs and outputs, nodes, tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sealift_packager.diff.difference import Difference
from sealift_packager.diff.documents import compare_json
from sealift_packager.diff.tensors import compare_tensors
from sealift_packager.tensors import values
from sealift_runtime.bundle import files


def compare_graphs(first: Path, second: Path) -> Iterator[Difference]:
    """What differs between the graphs of two bundle directories."""
    import onnx

    models = [onnx.load(directory / files.GRAPH, load_external_data=False) for directory in (first, second)]
    yield from compare_json(files.GRAPH, _outline(models[0]), _outline(models[1]))
    pairs = zip(models, (first, second), strict=True)
    tensors = [{row.name: values(row, directory) for row in model.graph.initializer} for model, directory in pairs]
    yield from compare_tensors(files.GRAPH, tensors[0], tensors[1])


def _outline(model: Any) -> dict[str, Any]:
    """A graph without its weights, as plain data."""
    graph = model.graph
    return {
        "ir_version": model.ir_version,
        "opset": {row.domain or "ai.onnx": row.version for row in model.opset_import},
        "inputs": [_tensor(row) for row in graph.input],
        "outputs": [_tensor(row) for row in graph.output],
        "nodes": [_node(row, at) for at, row in enumerate(graph.node)],
    }


def _tensor(row: Any) -> dict[str, Any]:
    shape = [size.dim_param or size.dim_value for size in row.type.tensor_type.shape.dim]
    return {"name": row.name, "type": row.type.tensor_type.elem_type, "shape": ", ".join(map(str, shape))}


def _node(row: Any, at: int) -> dict[str, Any]:
    attributes = {item.name: _attribute(item) for item in row.attribute}
    links = {"inputs": ", ".join(row.input), "outputs": ", ".join(row.output)}
    return {"name": row.name or f"#{at} {row.op_type}", "operator": f"{row.domain or 'ai.onnx'}.{row.op_type}", "attributes": attributes, **links}


def _attribute(item: Any) -> Any:
    import onnx

    value = onnx.helper.get_attribute_value(item)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, int | float):
        return value
    return str(value) if len(str(value)) < 200 else f"sha256 {hashlib.sha256(item.SerializeToString(deterministic=True)).hexdigest()}"
