"""scikit-learn's PolynomialFeatures as plain operators in float64: skl2onnx's has no float64 where a column of ones is among them."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.columns import numbers_type
from sealift_packager.sklearn.converters.distances import given_rows
from sealift_packager.sklearn.converters.neighbors import element_type


def write_products(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: numbers [batch, columns] in, a product of some of them in each column out."""
    powers, writer = np.asarray(operator.raw_operator.powers_, np.int64), NodeWriter(scope.get_unique_operator_name("products"))
    rows = given_rows(writer, operator)
    first = writer.add("Gather", rows, writer.constant("first", np.array([0])), axis=1)
    ones = writer.add("Cast", writer.add("Equal", first, first), to=TensorProto.DOUBLE)
    factors = writer.add("Concat", rows, ones, axis=1)
    most = int(powers.sum(axis=1).max(initial=1))
    places = np.full((most, len(powers)), powers.shape[1])  # the column of ones
    for at, exponents in enumerate(powers):
        columns = np.repeat(np.arange(len(exponents)), exponents)
        places[: len(columns), at] = columns
    result = ""
    for at, columns in enumerate(places):
        factor = writer.add("Gather", factors, writer.constant(f"factor_{at}", columns), axis=1)
        result = writer.add("Mul", result, factor) if result else factor
    writer.add("Cast", result, output=operator.outputs[0].full_name, to=element_type(operator))
    writer.put_into(container)


def shape_of_products(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = numbers_type(operator.inputs, [None, len(operator.raw_operator.powers_)])
