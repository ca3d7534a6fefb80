"""What every graph must keep to, wherever it comes from: weights that are numbers, tensors that fit in memory. Pure."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import onnx

from sealift_packager.errors import ConversionError
from sealift_packager.graph import graph
from sealift_packager.graph.tensors import values
from sealift_packager.graph.walk import all_nodes, all_tensors
from sealift_packager.model.source import Array

#: Of any tensor whose shape is known: 8 GiB of float32.
MAX_ELEMENTS: Final = 2**31 - 1
#: Of one request: a minute of video is smaller.
MAX_INPUT_BYTES: Final = 2**30
#: Weights are looked at in parts of so many values, so that this takes no memory beside them.
_PART: Final = 2**22
#: What multiplies its weights: an infinity there makes every answer one. Elsewhere infinities are masks.
_MULTIPLIES: Final = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN"})
_FLOATS: Final = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)


def check_bounds(model: onnx.ModelProto, *, where: str) -> None:
    """Raise `ConversionError` for what can't be served; the graph's shapes must have been inferred.

    1. No input, output or value in between has a negative size or more than 2^31 - 1 elements, as far as shapes are known.
    2. One row of each input fits into 1 GiB.
    3. No weight is NaN, and none that something multiplies with is infinite. A single NaN may be a constant that is compared with.
    """
    for value_info in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        _check_shape(value_info, where)  # 1
    for spec in graph.input_specs(model):
        size = math.prod(dim for dim in spec.shape if isinstance(dim, int)) * spec.numpy_dtype.itemsize
        if size > MAX_INPUT_BYTES:  # 2
            raise ConversionError(
                "an input is too large",
                where=f"{where}: {spec.name}",
                expected=f"at most {MAX_INPUT_BYTES >> 30} GiB",
                found=f"{list(spec.shape)}, {size:,} bytes",
            )
    multiplied = {name for node in all_nodes(model) if node.op_type in _MULTIPLIES for name in node.input}
    for tensor in all_tensors(model):
        _check_values(tensor, tensor.name in multiplied, where)  # 3


def _check_shape(value_info: onnx.ValueInfoProto, where: str) -> None:
    sizes = [dim.dim_value for dim in value_info.type.tensor_type.shape.dim if dim.HasField("dim_value")]
    if any(size < 0 for size in sizes) or math.prod(sizes) > MAX_ELEMENTS:
        shape = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in value_info.type.tensor_type.shape.dim]
        raise ConversionError(
            "a tensor has an impossible size", where=f"{where}: {value_info.name}", expected=f"0 to {MAX_ELEMENTS:,} elements", found=str(shape)
        )


def _check_values(tensor: onnx.TensorProto, multiplied: bool, where: str) -> None:
    if tensor.data_type not in _FLOATS:
        return
    weight = values(tensor)
    count, first = _count_bad(weight.reshape(-1), infinite=multiplied)
    if (weight.size < 2 and not multiplied) or not count:
        return
    place = [int(at) for at in np.unravel_index(first, weight.shape)]
    raise ConversionError(
        "a weight is NaN or infinite",
        where=f"{where}: {tensor.name or 'a constant'}",
        expected="finite numbers",
        found=f"{count:,} of {weight.size:,} values are NaN or infinite, the first at {place}",
        advice="Training has diverged, or the file is damaged: save the model again.",
    )


def _count_bad(flat: Array, *, infinite: bool) -> tuple[int, int]:
    """How many values are NaN (or infinite), and the index of the first; -1 if there is none."""
    total, first = 0, -1
    for at in range(0, flat.size, _PART):
        part = flat[at : at + _PART]
        bad = ~np.isfinite(part) if infinite else np.isnan(part)
        count = int(np.count_nonzero(bad))
        first = at + int(bad.argmax()) if count and not total else first
        total += count
    return total, first
