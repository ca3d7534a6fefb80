"""The onnxruntime that a graph needs, where it has operators that 1.20 knows, but has no kernel for on the processor.

The table is the difference between what ``get_all_opkernel_def`` of onnxruntime 1.20.0 and of each minor version up to 1.31 says of the CPU's
provider, for operator sets up to `NEWEST_OPSET`. Kernels for float16 that came later are left out: without one, onnxruntime computes in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import onnx

from sealift_packager.errors import ConversionError
from sealift_packager.graph.graph import infer_shapes
from sealift_packager.graph.walk import all_graphs

NEWEST_OPSET: Final = 21
_MICROSOFT: Final = "com.microsoft"
_ANY: Final = ""
#: The minor version of onnxruntime 1, a domain, operators, and element types of a node's first input; `_ANY` for all.
_KERNELS: Final = (
    (21, "", "Neg", "int16"),
    (21, "", "Add Div Equal Greater GreaterOrEqual Less LessOrEqual Mul Sub", "int16 int8 uint16 uint32 uint64 uint8"),
    (21, "", "DepthToSpace", "uint8"),
    (21, "ai.onnx.ml", "TreeEnsemble", _ANY),
    (22, _MICROSOFT, "GatherBlockQuantized", "uint8"),
    (23, "", "SplitToSequence", "bool"),
    (23, "", "Cast", "int4 uint4"),
    (23, _MICROSOFT, "MoE QMoE", _ANY),
    (24, "", "Cast", "int2 uint2"),
    (24, "", "ConvInteger", "int8"),
    (24, "", "Max Min", "int8 uint8"),
    (25, "", "DeformConv", _ANY),
    (25, _MICROSOFT, "CausalConvWithState LinearAttention", _ANY),
    (26, "", "TopK", "int16 int8 uint8"),
    (26, _MICROSOFT, "FusedMatMul", "double"),
    (28, "", "DepthToSpace", "int8"),
    (28, "", "SpaceToDepth", "int8 uint8"),
    (29, "", "Cos", "double"),
    (29, "", "Trilu", "int32"),
    (29, _MICROSOFT, "MRotaryEmbedding", _ANY),
    (30, "", "LayerNormalization SimplifiedLayerNormalization", "bfloat16"),
    (30, _MICROSOFT, "SkipLayerNormalization SkipSimplifiedLayerNormalization", "bfloat16"),
    (30, _MICROSOFT, "EngramGate GatedAdd GatedRMSNorm LinearAttentionGate NGramHashMapping", _ANY),
    (31, "", "Where", "int8 uint32"),
    (31, _MICROSOFT, "GatherBlockQuantized", "float4e2m1 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz"),
    (31, _MICROSOFT, "BranchwiseRMSNorm HyperConnectionPostMix HyperConnectionPreMix ScaledSiLU VarlenNGramHashMapping", _ANY),
)
#: Domain and operator → element type (`_ANY` for all) → the first minor version with a kernel.
_SINCE: Final[dict[tuple[str, str], dict[str, int]]] = {}
for _minor, _domain, _operators, _types in _KERNELS:
    for _operator in _operators.split():
        _SINCE.setdefault((_domain, _operator), {}).update(dict.fromkeys(_types.split(" "), _minor))
#: The input that the types are of, where it isn't the first.
_TYPED_INPUT: Final = {"Where": 1}


def required_onnxruntime(model: onnx.ModelProto) -> str:
    """The range of versions that have a kernel for every node of a graph, like ``>=1.29``; empty if 1.20 has."""
    if not any(_key(node) in _SINCE for graph in all_graphs(model) for node in graph.node):
        return ""
    try:
        typed = infer_shapes(model)
    except ConversionError:  # onnxruntime took it all the same; what the graph says of its types is left
        typed = model
    newest = max(_versions(typed), default=0)
    return f">=1.{newest}" if newest else ""


def _versions(model: onnx.ModelProto) -> Iterator[int]:
    types: dict[str, str] = {}
    for graph in all_graphs(model):
        values = (*graph.input, *graph.output, *graph.value_info)
        types |= {value.name: _name(value.type.tensor_type.elem_type) for value in values}
        types |= {weight.name: _name(weight.data_type) for weight in graph.initializer}
    for graph in all_graphs(model):
        for node in graph.node:
            since, at = _SINCE.get(_key(node), {}), _TYPED_INPUT.get(node.op_type, 0)
            element_type = types.get(node.input[at], "?") if len(node.input) > at else "?"
            yield from (minor for name, minor in since.items() if name in (_ANY, element_type))


def _key(node: onnx.NodeProto) -> tuple[str, str]:
    return ("" if node.domain == "ai.onnx" else node.domain, node.op_type)


def _name(element: int) -> str:
    return str(onnx.TensorProto.DataType.Name(element)).lower().replace("undefined", "?")
