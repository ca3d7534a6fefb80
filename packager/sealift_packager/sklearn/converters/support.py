"""Labels of support-vector classifiers in float64, which ONNX's own operator doesn't have, and of those that break ties.

Their label is the one with the largest score, where skl2onnx takes the one that most pairs name.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from onnx import TensorProto

from sealift_packager.graph import graph
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.model.source import Array
from sealift_packager.sklearn.converters.kernels import KERNELS, KernelOptions, kernel_of
from sealift_packager.sklearn.converters.members import OF_PAIRS, leave_to_skl2onnx, name_class


def write_support_classifier(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of an SVC or a NuSVC; its label from float64 where the rows are, which ONNX's own operator rounds."""
    model, start, given = operator.raw_operator, len(container.nodes), operator.outputs[0].full_name
    leave_to_skl2onnx(scope, operator, container)
    double = type(operator.inputs[0].type).__name__.startswith("Double")
    if operator.type == OF_PAIRS or not (double or _breaks_ties(model)) or model.kernel not in KERNELS:
        return
    writer = NodeWriter(scope.get_unique_operator_name("support"))
    graph.rename_tensors(container.nodes[start:], {given: f"{writer.prefix}_by_votes"})
    options = KernelOptions(kernel=model.kernel, gamma=model._gamma, degree=model.degree, coef0=model.coef0)  # noqa: SLF001
    near = kernel_of(writer, operator, model.support_vectors_, options)
    margins = writer.add("Gemm", near, writer.constant("weights", _weights(model)), writer.constant("intercepts", np.ravel(model.intercept_)))
    name_class(writer, operator, _class_number(writer, model, margins))
    writer.put_into(container)


def shape_of_support_classifier(operator: Any) -> None:
    """skl2onnx's shape calculator of it, which is skl2onnx's own."""
    from skl2onnx.common._registration import get_shape_calculator

    get_shape_calculator(operator.type)(operator)


def _breaks_ties(model: Any) -> bool:
    return bool(model.break_ties and model.decision_function_shape == "ovr" and len(model.classes_) > 2)


def _class_number(writer: NodeWriter, model: Any, margins: str) -> str:
    """Of each row: of two classes by the margin's sign, else the one that most pairs name, or of the largest score where ties are broken."""
    if len(model.classes_) == 2:
        above = writer.add("GreaterOrEqual", margins, writer.constant("zero", np.float64(0)))
        return writer.add("Cast", above, to=TensorProto.INT64)
    votes, sides = _votes(writer, margins, len(model.classes_))
    return writer.add("ArgMax", _scores(writer, votes, margins, sides) if _breaks_ties(model) else votes, axis=1, keepdims=0)


def _weights(model: Any) -> Array:
    """[support vectors, pairs of classes], from what each vector weighs against every other class."""
    dual = np.asarray(model.dual_coef_.toarray() if hasattr(model.dual_coef_, "toarray") else model.dual_coef_, np.float64)
    owner = np.repeat(np.arange(len(model.classes_)), model.n_support_)
    columns = [np.where(owner == i, dual[j - 1], np.where(owner == j, dual[i], 0)) for i, j in itertools.combinations(range(len(model.classes_)), 2)]
    return np.column_stack(columns)


def _votes(writer: NodeWriter, margins: str, classes: int) -> tuple[str, Array]:
    """[batch, classes]: how many pairs name each class; and which side of each pair's margin [pairs, classes] it is on."""
    first, second = (np.zeros((classes * (classes - 1) // 2, classes)) for _ in range(2))
    for at, (i, j) in enumerate(itertools.combinations(range(classes), 2)):
        first[at, i], second[at, j] = 1, 1
    above = writer.add("Cast", writer.add("Greater", margins, writer.constant("zero", np.float64(0))), to=TensorProto.DOUBLE)
    other = writer.add("Sub", writer.constant("one", np.float64(1)), above)
    votes = writer.add(
        "Add",
        writer.add("MatMul", above, writer.constant("first", first)),
        writer.add("MatMul", other, writer.constant("second", second)),
    )
    return votes, first - second


def _scores(writer: NodeWriter, votes: str, margins: str, sides: Array) -> str:
    """[batch, classes]: a class's votes, and less than a third for its margins (scikit-learn's ``_ovr_decision_function``)."""
    margin = writer.add("MatMul", margins, writer.constant("sides", sides))
    scale = writer.add("Mul", writer.add("Add", writer.add("Abs", margin), writer.constant("unit", np.float64(1))), writer.constant("three", 3.0))
    return writer.add("Add", votes, writer.add("Div", margin, scale))
