"""Large matrices as int8 or int4 with a scale for each block of a column: onnxruntime's MatMulNBits.

Rounding is finer than with one scale for each column, and activations are rounded in blocks as well, where the processor has kernels for that.
All other weights are stored as `weights` does.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime

from sealift_packager.candidates.candidate import Quantization
from sealift_packager.errors import NothingToQuantizeError, QuantizationError
from sealift_packager.graph import graph
from sealift_packager.graph.tensors import WeightFile, file_beside, make_tensor, values
from sealift_packager.model.source import Array
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.editing import drop_unused_weights
from sealift_packager.quantize.translate import translating
from sealift_packager.quantize.weights import store_weights

#: Smaller matrices are quicker as they are.
MIN_ELEMENTS: Final = 64 * 1024
BITS: Final = {"int8": 8, "int4": 4}
#: MatMulNBits' accuracy_level: compute in int8.
_INT8: Final = 4
_QUANTIZER: Final = "onnxruntime.quantization.matmul_nbits_quantizer"


def quantize_blocks(model: onnx.ModelProto, settings: Quantization, calibration: Calibration, scratch: Path) -> onnx.ModelProto:  # noqa: ARG001  (a quantizer)
    """A copy with MatMulNBits for each large MatMul or Gemm; `QuantizationError` if there is none."""
    file = file_beside(model, scratch)
    prepared = _gemms_as_products(model, file)
    matrices = {tensor.name for tensor in prepared.graph.initializer if _is_large(tensor)}
    products = [node for node in prepared.graph.node if node.op_type == "MatMul"]
    small = [node.name for node in products if node.input[1] not in matrices]
    if len(small) == len(products):
        raise NothingToQuantizeError(
            "nothing in the graph can be quantized", found=f"no matrix multiplication with a weight of {MIN_ELEMENTS:,} elements or more"
        )
    excluded = [*small, *settings.excluded_nodes]
    result = _quantized(prepared, settings, excluded) if file is None else _one_by_one(prepared, settings, excluded, file)
    store_weights(result, settings, file=file)
    return graph.tidy(result)


def _quantized(model: onnx.ModelProto, settings: Quantization, excluded: list[str]) -> onnx.ModelProto:
    if importlib.util.find_spec(_QUANTIZER) is None:
        found = f"onnxruntime {onnxruntime.__version__} on this machine"
        raise QuantizationError("quantizing in blocks needs onnxruntime 1.22 or newer", found=found)
    with translating():
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        quantizer = MatMulNBitsQuantizer(
            model,
            bits=BITS[settings.weight],
            block_size=settings.block_size,
            is_symmetric=True,
            accuracy_level=_INT8,
            nodes_to_exclude=excluded,
        )
        quantizer.process()
    result: onnx.ModelProto = quantizer.model.model
    return result


def _one_by_one(model: onnx.ModelProto, settings: Quantization, excluded: list[str], file: WeightFile) -> onnx.ModelProto:
    """Each product as a graph of its own with its matrix inside: the quantizer reads no files, and needs no more memory than for one matrix."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    added: dict[str, onnx.TensorProto] = {}
    for node in model.graph.node:
        if node.op_type != "MatMul" or node.name in excluded:
            nodes.append(graph.copy_of(node))
            continue
        quantized = _quantized(_alone(model, node, values(weights[node.input[1]])), settings, [])
        nodes.extend(graph.copy_of(quantized_node) for quantized_node in quantized.graph.node)
        new = (tensor for tensor in quantized.graph.initializer if tensor.name not in added)
        added.update({tensor.name: file.add(values(tensor), tensor.name) for tensor in new})
    result = graph.copy_of(model)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    result.graph.initializer.extend(added.values())
    if all(opset.domain != "com.microsoft" for opset in result.opset_import):
        result.opset_import.add(domain="com.microsoft", version=1)
    drop_unused_weights(result)
    return result


def _alone(model: onnx.ModelProto, node: onnx.NodeProto, matrix: Array) -> onnx.ModelProto:
    input_, output = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in (node.input[0], node.output[0]))
    weight = onnx.numpy_helper.from_array(matrix, node.input[1])
    part = onnx.helper.make_graph([node], "product", [input_], [output], [weight])
    return onnx.helper.make_model(part, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def _is_large(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2 and int(np.prod(tensor.dims)) >= MIN_ELEMENTS


def _gemms_as_products(model: onnx.ModelProto, file: WeightFile | None) -> onnx.ModelProto:
    """A copy whose plain Gemms with a large matrix are a MatMul and an Add, and whose nodes all have names."""
    result = graph.copy_of(model)
    weights = {tensor.name: tensor for tensor in result.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for number, node in enumerate(result.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
        settings = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        transposed = settings.pop("transB", 0)
        plain = node.op_type == "Gemm" and node.input[1] in weights and all(value == (name != "transA") for name, value in settings.items())
        nodes.extend(_product(result, node, weights, file, transposed=bool(transposed)) if plain and _is_large(weights[node.input[1]]) else [node])
    copies = [graph.copy_of(node) for node in nodes]
    del result.graph.node[:]
    result.graph.node.extend(copies)
    drop_unused_weights(result)
    return result


def _product(
    model: onnx.ModelProto, node: onnx.NodeProto, weights: dict[str, onnx.TensorProto], file: WeightFile | None, *, transposed: bool
) -> list[onnx.NodeProto]:
    matrix = node.input[1]
    if transposed:
        matrix = f"{node.name}_matrix"
        model.graph.initializer.append(make_tensor(values(weights[node.input[1]]).T.copy(), matrix, file))
    biased = len(node.input) > 2
    product = f"{node.name}_product" if biased else node.output[0]
    nodes = [onnx.helper.make_node("MatMul", [node.input[0], matrix], [product], name=node.name)]
    if biased:
        nodes.append(onnx.helper.make_node("Add", [product, node.input[2]], [node.output[0]], name=f"{node.name}_bias"))
    return nodes
