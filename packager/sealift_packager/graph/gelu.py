"""GELU in the order that onnxruntime fuses into one operator.

torch's exporter writes x · (½ · (1 + erf(x / √2))); onnxruntime looks for (x · (1 + erf(x / √2))) · ½. Fused, a sentence encoder is about a
twentieth quicker in fp32 and a sixth in int8.
"""

from __future__ import annotations

import collections

import onnx

from sealift_packager.graph import graph


def reorder_gelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which the constant factor of each GELU comes last."""
    result = graph.copy_of(model)
    producers = {name: node for node in result.graph.node for name in node.output}
    uses = collections.Counter(name for node in result.graph.node for name in node.input)
    uses.update(output.name for output in result.graph.output)
    scalars = {tensor.name for tensor in result.graph.initializer if not tensor.dims}
    for outer in result.graph.node:
        factors = _factors(outer, producers, uses, scalars)
        if factors:
            inner, x, half, sum_of_erf = factors
            inner.input[:] = [x, sum_of_erf]
            outer.input[:] = [inner.output[0], half]
    return result


def _factors(
    outer: onnx.NodeProto, producers: dict[str, onnx.NodeProto], uses: collections.Counter[str], scalars: set[str]
) -> tuple[onnx.NodeProto, str, str, str] | None:
    """The inner product, x, the scalar, and 1 + erf, where ``outer`` is x · (scalar · (1 + erf(…)))."""
    if outer.op_type != "Mul":
        return None
    for x, product in (outer.input, reversed(outer.input)):
        inner = producers.get(product)
        if inner is None or inner.op_type != "Mul" or uses[product] != 1:
            continue
        for half, added in (inner.input, reversed(inner.input)):
            if half in scalars and uses[added] == 1 and _is_one_plus_erf(producers.get(added), producers):
                return inner, x, half, added
    return None


def _is_one_plus_erf(node: onnx.NodeProto | None, producers: dict[str, onnx.NodeProto]) -> bool:
    return node is not None and node.op_type == "Add" and any(name in producers and producers[name].op_type == "Erf" for name in node.input)
