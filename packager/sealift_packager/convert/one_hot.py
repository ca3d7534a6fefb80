"""scikit-learn's OneHotEncoder as plain operators: skl2onnx's cuts fractions off, and has no infrequent categories.

What each category becomes is asked of the encoder itself, so dropped and infrequent categories, and unknown ones, come out as it has them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from sealift_packager.convert import graph
from sealift_packager.load.source import Array
from sealift_packager.quiet import quiet

_UNKNOWN_TEXT: Final = "\x00 no category"
_ML_OPSET: Final = 3


def write_one_hot(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a OneHotEncoder: columns [batch, 1] each, float32 [batch, features out]."""
    prefix = scope.get_unique_operator_name("one_hot")
    parts = []
    for number, (column, matrix) in enumerate(zip(_columns(operator, container, prefix), _matrices(operator.raw_operator), strict=True)):
        parts.append(_encoded(container, f"{prefix}_{number}", column, operator.raw_operator.categories_[number], matrix))
    container.nodes.append(helper.make_node("Concat", parts, [operator.outputs[0].full_name], name=f"{prefix}_concat", axis=1))
    container.node_domain_version_pair_sets.update({("", graph.TARGET_OPSET), ("ai.onnx.ml", _ML_OPSET)})


def shape_of_one_hot(operator: Any) -> None:
    """skl2onnx's shape calculator of a OneHotEncoder."""
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([None, sum(matrix.shape[1] for matrix in _matrices(operator.raw_operator))])


def _columns(operator: Any, container: Any, prefix: str) -> list[tuple[str, str]]:
    """Each column's name in the graph, and the kind of its values."""
    found: list[tuple[str, str]] = []
    for variable in operator.inputs:
        kind = type(variable.type).__name__
        for at in range(int(variable.type.shape[1])):
            name = f"{prefix}_column_{len(found)}"
            index = numpy_helper.from_array(np.array([at]), f"{name}_index")
            container.initializers.append(index)
            container.nodes.append(helper.make_node("Gather", [variable.full_name, index.name], [name], name=name, axis=1))
            found.append((name, kind))
    return found


def _matrices(encoder: Any) -> list[Array]:
    """For each column: what each category, and last an unknown one, adds to the output; [categories + 1, features out of the column]."""
    first = [row[0] for row in encoder.categories_]
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(first)
    infrequent = getattr(encoder, "infrequent_categories_", [None] * len(first))
    result, start = [], 0
    for at, categories in enumerate(encoder.categories_):
        rare = 0 if infrequent[at] is None else len(infrequent[at]) - 1
        end = start + len(categories) - rare - (dropped[at] is not None)
        known = [_asked(encoder, first, at, category)[start:end] for category in categories]
        try:
            unknown = _asked(encoder, first, at, _unknown(categories))[start:end]
        except ValueError:  # handle_unknown="error": the source refuses such a row
            unknown = np.zeros(end - start)
        result.append(np.stack([*known, unknown]).astype(np.float32))
        start = end
    return result


def _asked(encoder: Any, first: list[Any], at: int, value: Any) -> Array:
    row = np.empty((1, len(first)), dtype=object)
    row[0, :] = [*first[:at], value, *first[at + 1 :]]
    if all(np.asarray(categories).dtype.kind in "biuf" for categories in encoder.categories_):
        row = row.astype(np.float64)
    with quiet():
        found = encoder.transform(row)
    dense: Array = np.asarray(found.toarray() if hasattr(found, "toarray") else found)[0]
    return dense


def _unknown(categories: Array) -> Any:
    numbers = np.asarray(categories).dtype.kind in "biuf"
    return float(np.nanmax(np.append(np.asarray(categories, np.float64), 0))) + 1.5 if numbers else _UNKNOWN_TEXT


def _encoded(container: Any, prefix: str, column: tuple[str, str], categories: Array, matrix: Array) -> str:
    """[batch, features out]: which category each row has, times the matrix."""

    def add(kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{prefix}_{len(container.nodes)}"
        container.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(name: str, value: Array) -> str:
        container.initializers.append(numpy_helper.from_array(value, f"{prefix}_{name}"))
        return f"{prefix}_{name}"

    name, kind = column
    if kind.startswith("String"):
        words = [str(category) for category in categories]
        numbers = list(range(len(words)))
        name = add("LabelEncoder", [name], domain="ai.onnx.ml", keys_strings=words, values_int64s=numbers, default_int64=-1)
        wanted: Array = np.arange(len(words))
    else:
        wide = TensorProto.DOUBLE if kind.startswith("Double") else TensorProto.FLOAT
        name = add("Cast", [name], to=wide)
        wanted = np.asarray(categories, np.float64 if wide == TensorProto.DOUBLE else np.float32)
    same = add("Equal", [name, constant("categories", wanted.reshape(1, -1))])
    if wanted.dtype.kind == "f" and np.isnan(wanted).any():
        same = add("Or", [same, add("And", [add("IsNaN", [name]), constant("nan", np.isnan(wanted).reshape(1, -1))])])
    mask = add("Cast", [same], to=TensorProto.FLOAT)
    none = add("Sub", [constant("one", np.array(1, np.float32)), add("ReduceSum", [mask, constant("axis", np.array([1]))], keepdims=1)])
    return add("MatMul", [add("Concat", [mask, none], axis=1), constant("outputs", matrix)])
