"""Two model.onnx with their weights: operator sets, inputs and outputs, nodes, tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sealift_core.bundle import files
from sealift_core.errors import IntegrityError, LimitError
from sealift_packager.diff.difference import BundleDifference
from sealift_packager.diff.documents import compare_json
from sealift_packager.diff.tensors import compare_tensors
from sealift_packager.graph.tensors import is_reference, values
from sealift_packager.model.source import Array

#: Of a number of bytes.
_MAX_DIGITS: Final = 19
#: protobuf holds no larger message.
_MAX_GRAPH_BYTES: Final = 2**31


def compare_graphs(first: Path, second: Path) -> Iterator[BundleDifference]:
    """What differs between the graphs of two bundle directories.

    Only files of the two directories are read: a graph whose weights are said to be elsewhere, or beyond their file's end, is an `IntegrityError`.
    """
    models = [_load(directory) for directory in (first, second)]
    yield from compare_json(files.GRAPH, _outline(models[0]), _outline(models[1]))
    pairs = zip(models, (first, second), strict=True)
    tensors = [{tensor.name: _values(tensor, directory) for tensor in model.graph.initializer} for model, directory in pairs]
    yield from compare_tensors(files.GRAPH, tensors[0], tensors[1])


def _load(directory: Path) -> Any:
    import onnx

    path = directory / files.GRAPH
    size = path.stat().st_size
    if size >= _MAX_GRAPH_BYTES:
        raise LimitError("the graph is too large", where=str(path), expected=f"less than {_MAX_GRAPH_BYTES} bytes", found=f"{size} bytes")
    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors have no common base
        raise IntegrityError("not an ONNX graph", where=str(path)) from error


def _values(tensor: Any, directory: Path) -> Array:
    where = f"{directory / files.GRAPH}: {tensor.name!r}"
    if is_reference(tensor):
        _check_place(tensor, directory, where)
    try:
        return values(tensor, directory)
    except (ValueError, TypeError, KeyError, OSError, OverflowError, AttributeError) as error:
        raise IntegrityError("the weights can't be read", where=where, found=type(error).__name__) from error


def _check_place(tensor: Any, directory: Path, where: str) -> None:
    """External weights lie in a file of the bundle, and wholly in it."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if location not in files.list_files(directory):
        advice = "A bundle's weights must be files of the bundle."
        raise IntegrityError("the weights are in a file outside the bundle", where=where, found=repr(location[:200]), advice=advice)
    offset, length, size = entries.get("offset", "0"), entries.get("length", "0"), (directory / location).stat().st_size
    if not (_is_count(offset) and _is_count(length) and int(offset) + int(length) <= size):
        expected, found = f"within {size} bytes", f"offset {offset[:20]}, length {length[:20]}"
        raise IntegrityError("the weights are beyond the end of their file", where=where, expected=expected, found=found)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def _outline(model: Any) -> dict[str, Any]:
    """A graph without its weights, as plain data."""
    graph = model.graph
    return {
        "ir_version": model.ir_version,
        "opset": {opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        "inputs": [_tensor(input_) for input_ in graph.input],
        "outputs": [_tensor(output) for output in graph.output],
        "nodes": [_node(node, at) for at, node in enumerate(graph.node)],
    }


def _tensor(value_info: Any) -> dict[str, Any]:
    shape = [size.dim_param or size.dim_value for size in value_info.type.tensor_type.shape.dim]
    return {"name": value_info.name, "type": value_info.type.tensor_type.elem_type, "shape": ", ".join(map(str, shape))}


def _node(node: Any, at: int) -> dict[str, Any]:
    attributes = {item.name: _attribute(item) for item in node.attribute}
    links = {"inputs": ", ".join(node.input), "outputs": ", ".join(node.output)}
    return {"name": node.name or f"#{at} {node.op_type}", "operator": f"{node.domain or 'ai.onnx'}.{node.op_type}", "attributes": attributes, **links}


def _attribute(item: Any) -> Any:
    import onnx

    value = onnx.helper.get_attribute_value(item)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, int | float):
        return value
    return str(value) if len(str(value)) < 200 else f"sha256 {hashlib.sha256(item.SerializeToString(deterministic=True)).hexdigest()}"
