"""scikit-learn's choices of features, such as SelectKBest: skl2onnx's gives zeros where the first feature alone was chosen."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter

SELECTORS: Final = (
    "GenericUnivariateSelect",
    "RFE",
    "RFECV",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "VarianceThreshold",
)


def write_selected(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of one: columns [batch, columns] in, the chosen ones out."""
    writer = NodeWriter(scope.get_unique_operator_name("selected"))
    given = writer.add("Concat", *(variable.full_name for variable in operator.inputs), axis=1)
    writer.add("Gather", given, writer.constant("chosen", _chosen(operator)), axis=1, output=operator.outputs[0].full_name)
    writer.put_into(container)


def shape_of_selected(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    operator.outputs[0].type = type(operator.inputs[0].type)([None, len(_chosen(operator))])


def _chosen(operator: Any) -> Any:
    chosen = np.asarray(operator.raw_operator.get_support(indices=True), np.int64)
    if not len(chosen):
        raise ConversionError("a step chose none of its features", where=type(operator.raw_operator).__name__, advice="Leave the step out.")
    return chosen
