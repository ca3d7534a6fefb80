"""Large matrices as int8 or int4 with a scale for each block of a column: onnxruntime's MatMulNBits.

Rounding is finer than with one scale for each column, and activations are rounded in blocks as well, where the processor has kernels for that.
All other weights are stored as `weights` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from sealift_packager.candidates.spec import Quantization
from sealift_packager.convert import graph
from sealift_packager.errors import NothingToQuantizeError
from sealift_packager.quantize.boundary import translating
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.editing import drop_unused_weights
from sealift_packager.quantize.weights import store_weights

#: Smaller matrices are quicker as they are.
MIN_ELEMENTS: Final = 64 * 1024
BITS: Final = {"int8": 8, "int4": 4}
#: MatMulNBits' accuracy_level: compute in int8.
_INT8: Final = 4


def quantize_blocks(model: Any, settings: Quantization, calibration: Calibration, scratch: Path) -> Any:  # noqa: ARG001  (a quantizer)
    """A copy with MatMulNBits for each large MatMul or Gemm; `QuantizationError` if there is none."""
    plain = _gemms_as_products(model)
    matrices = {row.name for row in plain.graph.initializer if _is_large(row)}
    products = [node for node in plain.graph.node if node.op_type == "MatMul"]
    small = [node.name for node in products if node.input[1] not in matrices]
    if len(small) == len(products):
        raise NothingToQuantizeError(
            "nothing in the graph can be quantized", found=f"no matrix of {MIN_ELEMENTS:,} elements or more that is multiplied by"
        )
    with translating():
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        quantizer = MatMulNBitsQuantizer(
            plain,
            bits=BITS[settings.weight],
            block_size=settings.block_size,
            is_symmetric=True,
            accuracy_level=_INT8,
            nodes_to_exclude=[*small, *settings.reverted],
        )
        quantizer.process()
    result = quantizer.model.model
    store_weights(result, spared=settings.reverted)
    return graph.tidy(result)


def _is_large(tensor: Any) -> bool:
    return tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2 and int(np.prod(tensor.dims)) >= MIN_ELEMENTS


def _gemms_as_products(model: Any) -> Any:
    """A copy whose plain Gemms with a large matrix are a MatMul and an Add, and whose nodes all have names."""
    result = graph.copy_of(model)
    weights = {row.name: row for row in result.graph.initializer}
    nodes: list[Any] = []
    for number, node in enumerate(result.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
        settings = {row.name: onnx.helper.get_attribute_value(row) for row in node.attribute}
        transposed = settings.pop("transB", 0)
        plain = node.op_type == "Gemm" and node.input[1] in weights and all(value == (name != "transA") for name, value in settings.items())
        nodes.extend(_product(result, node, weights, transposed=bool(transposed)) if plain and _is_large(weights[node.input[1]]) else [node])
    copies = [graph.copy_of(node) for node in nodes]
    del result.graph.node[:]
    result.graph.node.extend(copies)
    drop_unused_weights(result)
    return result


def _product(model: Any, node: Any, weights: dict[str, Any], *, transposed: bool) -> list[Any]:
    matrix = node.input[1]
    if transposed:
        matrix = f"{node.name}_matrix"
        values = onnx.numpy_helper.to_array(weights[node.input[1]]).T.copy()
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, matrix))
    biased = len(node.input) > 2
    product = f"{node.name}_product" if biased else node.output[0]
    made = [onnx.helper.make_node("MatMul", [node.input[0], matrix], [product], name=node.name)]
    if biased:
        made.append(onnx.helper.make_node("Add", [product, node.input[2]], [node.output[0]], name=f"{node.name}_bias"))
    return made
