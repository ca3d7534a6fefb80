"""k-means as plain operators in float64, as scikit-learn computes: in float32 the square of a small distance is lost, and the root of it is NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.convert.nodes import NodeWriter


def write_k_means(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of KMeans and MiniBatchKMeans: rows [batch, features] in, label [batch] and distances [batch, clusters] out."""
    writer = NodeWriter(scope.get_unique_operator_name("k_means"))
    centers = operator.raw_operator.cluster_centers_.astype(np.float64)
    rows = writer.add("Cast", operator.inputs[0].full_name, to=TensorProto.DOUBLE)
    products = writer.add("MatMul", rows, writer.constant("centers", -2 * centers.T))
    near = writer.add("Add", products, writer.constant("squares", (centers**2).sum(axis=1)))
    writer.add("ArgMin", near, output=operator.outputs[0].full_name, axis=1, keepdims=0)
    lengths = writer.add("ReduceSumSquare", rows, writer.constant("axis", np.array([1])), keepdims=1)
    squared = writer.add("Max", writer.add("Add", near, lengths), writer.constant("zero", np.float64(0)))
    writer.add("Cast", writer.add("Sqrt", squared), to=TensorProto.FLOAT, output=operator.outputs[1].full_name)
    writer.put_into(container)


def shape_of_k_means(operator: Any) -> None:
    """skl2onnx's shape calculator of them."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    operator.outputs[0].type = Int64TensorType([None])
    operator.outputs[1].type = FloatTensorType([None, len(operator.raw_operator.cluster_centers_)])
