"""Labels of every classifier: text or int64 [batch]. skl2onnx gives those of some as [1, batch] or [batch, 1], and declares neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx

from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.errors import ConversionError
from sealift_packager.graph import graph
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array
from sealift_packager.model.synthetic import concrete_shape

_ROWS: Final = 2


def label_values(classes: Any) -> Array:
    """A classifier's classes as its graph gives them."""
    values = np.asarray(classes)
    if values.dtype.kind == "u" and values.max(initial=0) > np.iinfo(np.int64).max:
        advice = "Number the classes, or make them text."
        raise ConversionError("a label is too large", where="classes", expected="at most 2^63 - 1", found=str(values.max()), advice=advice)
    return values if values.dtype.kind in "UO" else values.astype(np.int64)


def label_type(classes: Any) -> Any:
    """skl2onnx's type of a label with these classes."""
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    return (StringTensorType if label_values(classes).dtype.kind in "UO" else Int64TensorType)([None])


def flatten_label(model: onnx.ModelProto, inputs: Sequence[TensorSpec]) -> onnx.ModelProto:
    """The model, or a copy whose first output has a Reshape behind it where two rows don't give two labels.

    The shape is the one that onnxruntime returns, because the graph doesn't always declare the true one. The Reshape comes last because operators
    inside the graph rely on the shape.
    """
    session = open_session(graph.tidy(model), Settings(), where="scikit-learn model")
    label = model.graph.output[0]
    zeros = {spec.name: np.full(concrete_shape(spec, _ROWS), "" if spec.dtype == "string" else 0, spec.numpy_dtype) for spec in inputs}
    try:
        labels = run_session(session, zeros)[label.name]
    except ConversionError:  # a step that knows no zero: parity has the rows that it knows
        return model
    if labels.shape == (_ROWS,):
        return model
    result = graph.copy_of(model)
    flat, shape = f"{label.name}_flat", f"{label.name}_shape"
    result.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1]), shape))
    result.graph.node.append(onnx.helper.make_node("Reshape", [label.name, shape], [flat], name=flat))
    result.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(flat, label.type.tensor_type.elem_type, ["batch"]))
    return result


def look_up_label(model: onnx.ModelProto, classes: Any) -> onnx.ModelProto:
    """A copy whose first output, the numbers of classes, is the classes."""
    result = graph.copy_of(model)
    label = result.graph.output[0]
    named, numbers, values = f"{label.name}_class", f"{label.name}_number", f"{label.name}_classes"
    result.graph.initializer.append(onnx.numpy_helper.from_array(label_values(classes), values))
    result.graph.node.append(onnx.helper.make_node("Cast", [label.name], [numbers], name=numbers, to=onnx.TensorProto.INT64))
    result.graph.node.append(onnx.helper.make_node("Gather", [values, numbers], [named], name=named))
    result.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(named, onnx.TensorProto.INT64, ["batch"]))
    return result
