"""Does a runtime have the operators of an ONNX file? Pure but for ONNX's own table of operators."""

from __future__ import annotations

from typing import Final

import onnx

from sealift_core.errors import first_few
from sealift_core.verify.operators import is_allowed, may_define
from sealift_packager.errors import SourceModelError
from sealift_packager.graph.graph import DEFAULT_DOMAINS, opset_of
from sealift_packager.graph.walk import all_nodes
from sealift_packager.onnx.order import title

_SHOWN: Final = 5


def check_operators(model: onnx.ModelProto, *, where: str) -> None:
    """Raise `SourceModelError` for operators that are neither ONNX's, nor onnxruntime's, nor functions of the model itself."""
    functions = {(function.domain, function.name) for function in model.functions if may_define(function.domain, function.name)}
    opset = opset_of(model)
    missing = [node for node in all_nodes(model) if (node.domain, node.op_type) not in functions and not _has_operator(node, opset)]
    if not missing:
        return
    described = [
        f"{node.op_type} of {node.domain if node.domain not in DEFAULT_DOMAINS else f'opset {opset}'} (node {title(node)})" for node in missing
    ]
    raise SourceModelError(
        "operators that neither ONNX nor onnxruntime knows",
        where=where,
        expected=f"operators of ONNX up to opset {opset}, of ai.onnx.ml or com.microsoft",
        found=first_few(described, _SHOWN),
        advice="Export the model with these operators only, or define the operator as a function in the file.",
    )


def _has_operator(node: onnx.NodeProto, opset: int) -> bool:
    if node.domain not in DEFAULT_DOMAINS:
        return is_allowed(node.domain, node.op_type)
    return bool(onnx.defs.has(node.op_type, max_inclusive_version=opset))
