"""k-means as plain operators in float64, as scikit-learn computes: in float32 the square of a small distance is lost, and the root of it is NaN."""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.neighbors import element_type
from sealift_packager.trees.within import fitted_parts

CLUSTERINGS: Final = ("KMeans", "MiniBatchKMeans")


def write_k_means(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of KMeans and MiniBatchKMeans: rows [batch, features] in, label [batch] and distances [batch, clusters] out.

    Of a step before others the distances alone.
    """
    writer = NodeWriter(scope.get_unique_operator_name("k_means"))
    centers = operator.raw_operator.cluster_centers_.astype(np.float64)
    rows = writer.add("Cast", operator.inputs[0].full_name, to=TensorProto.DOUBLE)
    products = writer.add("MatMul", rows, writer.constant("centers", -2 * centers.T))
    near = writer.add("Add", products, writer.constant("squares", (centers**2).sum(axis=1)))
    if len(operator.outputs) > 1:
        writer.add("ArgMin", near, output=operator.outputs[0].full_name, axis=1, keepdims=0)
    lengths = writer.add("ReduceSumSquare", rows, writer.constant("axis", np.array([1])), keepdims=1)
    squared = writer.add("Max", writer.add("Add", near, lengths), writer.constant("zero", np.float64(0)))
    writer.add("Cast", writer.add("Sqrt", squared), to=element_type(operator), output=operator.outputs[-1].full_name)
    writer.put_into(container)


def shape_of_k_means(operator: Any) -> None:
    """skl2onnx's shape calculator of them."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    count = len(operator.raw_operator.cluster_centers_)
    if len(operator.outputs) > 1:
        operator.outputs[0].type = Int64TensorType([None])
        operator.outputs[1].type = FloatTensorType([None, count])
    else:
        operator.outputs[0].type = operator.inputs[0].type.__class__([None, count])


def step_parsers(model: Any) -> dict[type, Any]:
    """skl2onnx's parsers of those in a model that aren't its end: it knows each as a clustering alone, which gives labels too."""
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    steps = [part for part in fitted_parts(model) if type(part).__name__ in CLUSTERINGS and part is not final]
    return {type(part): functools.partial(_parse, final=final) for part in steps}


def _parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None, *, final: Any) -> Any:
    from skl2onnx._parse import _parse_sklearn_simple_model

    if model is final:
        return _parse_sklearn_simple_model(scope, model, inputs, custom_parsers=custom_parsers)
    operator = scope.declare_local_operator(f"Sklearn{type(model).__name__}", model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("distances", inputs[0].type.__class__()))
    return operator.outputs
