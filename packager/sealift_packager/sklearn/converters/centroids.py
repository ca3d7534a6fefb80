"""scikit-learn's NearestCentroid as plain operators in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.distances import given_rows, refused
from sealift_packager.sklearn.converters.inner_trees import wants_scores
from sealift_packager.sklearn.converters.members import name_class
from sealift_packager.sklearn.converters.neighbors import element_type

_METRICS = ("euclidean", "manhattan")


def write_centroids(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter: rows [batch, features] in, label [batch] and probabilities or scores [batch, classes] out.

    The label is the class whose centroid is nearest where the classes are equally likely, and else the one with the largest score, for which
    each column counts by its spread.
    """
    model, writer = operator.raw_operator, NodeWriter(scope.get_unique_operator_name("centroids"))
    if model.metric not in _METRICS:
        raise refused(model, "a metric that has no ONNX form", ", ".join(_METRICS), str(model.metric))
    rows, classes = given_rows(writer, operator), len(model.classes_)
    priors = np.asarray(getattr(model, "class_prior_", np.full(classes, 1 / classes)), np.float64)
    spread = np.asarray(getattr(model, "within_class_std_dev_", np.ones(model.centroids_.shape[1])), np.float64).ravel()
    spread = np.where(spread == 0, 1, spread)
    with np.errstate(divide="ignore"):
        offsets = 2 * np.log(priors)
    scaled = writer.add("Div", rows, writer.constant("spread", spread))
    scores = _less_near(writer, model, scaled, model.centroids_ / spread, "scores")
    scores = writer.add("Sub", writer.constant("priors", offsets), scores)
    if np.isclose(priors, 1 / classes).all():
        nearest = writer.add("ArgMin", _less_near(writer, model, rows, model.centroids_, "near"), axis=1, keepdims=0)
    else:
        nearest = writer.add("ArgMax", scores, axis=1, keepdims=0)
    name_class(writer, operator, nearest)
    values = _given_scores(writer, scores, scaled, classes) if wants_scores(scope, operator, container) else writer.add("Softmax", scores, axis=1)
    writer.add("Cast", values, output=operator.outputs[1].full_name, to=element_type(operator))
    writer.put_into(container)


def _less_near(writer: NodeWriter, model: Any, rows: str, centroids: Any, name: str) -> str:
    """[batch, classes]: squared distances; Euclidean ones less the rows' own squares, which are the same for all classes and would hide the rest."""
    centers = np.asarray(centroids, np.float64)
    if model.metric == "euclidean":
        squares = writer.constant(f"{name}_squares", (centers**2).sum(axis=1))
        return writer.add("Gemm", rows, writer.constant(f"{name}_centers", centers), squares, alpha=-2.0, transB=1)
    apart = writer.add(
        "Sub", writer.add("Unsqueeze", rows, writer.constant(f"{name}_second", np.array([1]))), writer.constant(f"{name}_all", centers)
    )
    length = writer.add("ReduceL1", apart, writer.constant(f"{name}_last", np.array([2])), keepdims=0)
    return writer.add("Mul", length, length)


def _given_scores(writer: NodeWriter, scores: str, scaled: str, classes: int) -> str:
    """What ``decision_function`` gives; of two classes, minus and plus their difference."""
    if classes > 2:
        return writer.add("Sub", scores, writer.add("ReduceSumSquare", scaled, writer.constant("features", np.array([1])), keepdims=1))
    return writer.add("MatMul", scores, writer.constant("difference", np.array([[1.0, -1.0], [-1.0, 1.0]])))
