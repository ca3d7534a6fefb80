"""Trees wherever in a scikit-learn model they stand, by the same writer as whole ensembles."""

from __future__ import annotations

from typing import Any

import onnx

from sealift_packager.errors import ConversionError
from sealift_packager.graph import graph
from sealift_packager.graph.labels import label_type
from sealift_packager.graph.nodes import ML_OPSET
from sealift_packager.graph.tree_writer import ensemble_nodes
from sealift_packager.trees.from_estimator import read_estimator


def write_trees(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of trees, wherever in a model they stand."""
    ensemble = read_estimator(operator.raw_operator)
    if ensemble is None:
        raise ConversionError("trees that can't be written exactly", where=type(operator.raw_operator).__name__)
    rows = operator.inputs[0].full_name
    names = tuple(output.full_name for output in operator.outputs)
    prefix = scope.get_unique_operator_name("trees")
    type_name = type(operator.inputs[0].type).__name__
    double = type_name.startswith("Double") and not ensemble.narrow
    if not double and not type_name.startswith("Float"):
        narrowed = f"{prefix}_rows"
        container.nodes.append(onnx.helper.make_node("Cast", [rows], [narrowed], name=f"{prefix}_cast", to=onnx.TensorProto.FLOAT))
        rows = narrowed
    scores = wants_scores(scope, operator, container)
    wide_sum = type(operator.outputs[-1].type).__name__.startswith("Double")
    nodes, initializers = ensemble_nodes(ensemble, rows, names, prefix=prefix, double=double, scores=scores, wide_sum=wide_sum)
    container.nodes.extend(nodes)
    container.initializers.extend(initializers)
    container.node_domain_version_pair_sets.update({("", graph.TARGET_OPSET), ("ai.onnx.ml", ML_OPSET)})


def wants_scores(scope: Any, operator: Any, container: Any) -> bool:
    """Whether what is around a classifier asks for its scores in the place of its probabilities."""
    model = operator.raw_operator
    options = container.has_options(model, "raw_scores") and scope.get_options(model, {"raw_scores": False}, fail=False)
    return bool(options and options["raw_scores"])


def shape_of_trees(operator: Any) -> None:
    """skl2onnx's shape calculator of trees."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType

    ensemble = read_estimator(operator.raw_operator)
    if ensemble is None:
        return
    if ensemble.isolation is not None:
        operator.outputs[0].type, operator.outputs[1].type = Int64TensorType([None]), FloatTensorType([None, 1])
        return
    if ensemble.classes is None:
        number_type = DoubleTensorType if isinstance(operator.inputs[0].type, DoubleTensorType) else FloatTensorType
        operator.outputs[0].type = number_type([None, ensemble.outputs])
        return
    operator.outputs[0].type = label_type(ensemble.classes)
    operator.outputs[1].type = FloatTensorType([None, len(ensemble.classes)])
