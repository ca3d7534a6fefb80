"""Tree ensembles as ONNX: one TreeEnsembleRegressor for the sum, plain operators for what is made of it."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sealift_packager.graph import graph
from sealift_packager.graph.columns import take_columns
from sealift_packager.graph.labels import label_values
from sealift_packager.graph.nodes import ML_OPSET, NodeWriter
from sealift_packager.model.columns import FEATURES
from sealift_packager.model.source import SourceModel
from sealift_packager.trees import ensemble as links
from sealift_packager.trees.ensemble import Array, Ensemble, Isolation
from sealift_packager.trees.thresholds import round_down

_ML: Final = "ai.onnx.ml"
#: A sum that is larger beside what its trees' leaves differ by is added up about its middle.
_LARGE: Final = 8.0
#: Far above what two orders of a float64 sum differ by, far below what two different sums do.
_HAIR: Final = 1e-12


def convert_trees(source: SourceModel) -> onnx.ModelProto:
    """A graph with the source's inputs and its outputs."""
    if source.trees is None:
        raise TypeError("not a tree ensemble")
    wide = any(spec.dtype == "float64" for spec in source.inputs)
    double = wide and not source.trees.narrow  # which rounds rows itself
    wide_sum = bool(source.wide_outputs)
    return take_columns(ensemble_model(source.trees, FEATURES, source.outputs, double=double, wide_sum=wide_sum), source.inputs)


def ensemble_model(ensemble: Ensemble, input_name: str, outputs: tuple[str, ...], *, double: bool = False, wide_sum: bool = False) -> onnx.ModelProto:
    """A whole ONNX model: float32 rows [batch, features] in, or float64 ones where it is ``double``, ``outputs`` out."""
    nodes, initializers = ensemble_nodes(ensemble, input_name, outputs, double=double, wide_sum=wide_sum)
    made = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info(input_name, TensorProto.DOUBLE if double else TensorProto.FLOAT, ["batch", ensemble.features])],
        [_output(name, ensemble, wide_sum=wide_sum) for name in outputs],
        initializers,
    )
    opsets = [helper.make_opsetid("", graph.TARGET_OPSET), helper.make_opsetid(_ML, ML_OPSET)]
    return helper.make_model(made, opset_imports=opsets, ir_version=graph.MAX_IR_VERSION)


def _output(name: str, ensemble: Ensemble, *, wide_sum: bool) -> onnx.ValueInfoProto:
    if name == "label":
        element_type = TensorProto.STRING if ensemble.classes is not None and ensemble.classes.dtype.kind in "UO" else TensorProto.INT64
        return helper.make_tensor_value_info(name, element_type, ["batch"])
    if ensemble.isolation is not None:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1])
    count = len(ensemble.classes) if ensemble.classes is not None else ensemble.outputs
    return helper.make_tensor_value_info(name, TensorProto.DOUBLE if wide_sum else TensorProto.FLOAT, ["batch", count])


def ensemble_nodes(
    ensemble: Ensemble,
    rows: str,
    outputs: tuple[str, ...],
    *,
    prefix: str = "trees",
    double: bool = False,
    scores: bool = False,
    wide_sum: bool = False,
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes and initializers from ``rows`` [batch, features] to ``outputs``.

    These are ``label`` and ``probabilities``, of outliers ``label`` and ``scores``, else one number per target.

    ``scores`` asks for a classifier's sums in the place of its probabilities, [batch, classes]: of two classes, minus and plus the one sum.
    ``wide_sum`` asks for a regressor's numbers in float64. The operator adds trees up in float32, so it is given what their leaves differ by; this is
    also done where a sum is large beside that.
    """
    writer = _Writer(prefix)
    middled = wide_sum or _is_large(ensemble)
    number: type[np.floating[Any]] = np.float64 if middled else np.float32
    if middled:
        ensemble, middle = _about_the_middle(ensemble)
        differences = writer.add("Cast", writer.trees(ensemble, rows, double=double), to=TensorProto.DOUBLE)
        raw = writer.add("Add", differences, writer.constant("middle", middle))
    else:
        raw = writer.trees(ensemble, rows, double=double)
    if ensemble.divisor != 1:
        raw = writer.add("Div", raw, writer.constant("divisor", number(ensemble.divisor)))
    if ensemble.factor != 1:
        raw = writer.add("Mul", raw, writer.constant("factor", number(ensemble.factor)))
    if ensemble.isolation is not None:
        writer.outliers(ensemble.isolation, raw, outputs)
    elif ensemble.classes is None:
        value = writer.value(ensemble.link, raw, "" if middled else outputs[0], number)
        if middled:
            writer.add("Cast", value, output=outputs[0], to=TensorProto.DOUBLE if wide_sum else TensorProto.FLOAT)
    else:
        writer.classes(ensemble, raw, outputs, scores=scores)
    return writer.nodes, writer.initializers


def _is_large(ensemble: Ensemble) -> bool:
    """Whether a regressor whose library adds up in float64 has sums that float32 would round much of their differences away from."""
    if ensemble.narrow_sum or ensemble.classes is not None or ensemble.isolation is not None:
        return False
    _, middle = _about_the_middle(ensemble)
    apart = np.zeros_like(middle)
    for tree in ensemble.trees:
        apart[tree.output : tree.output + tree.value.shape[1]] += np.ptp(tree.value[tree.feature < 0], axis=0) / 2
    return bool((np.abs(middle) > _LARGE * apart).any() and apart.any())


def _about_the_middle(ensemble: Ensemble) -> tuple[Ensemble, Array]:
    """The ensemble without its base and with each tree's leaves about their middle, and what that takes away [outputs]."""
    taken, trees = np.asarray(ensemble.base, np.float64).copy(), []
    for tree in ensemble.trees:
        leaves = tree.value[tree.feature < 0]
        middle = (leaves.min(axis=0) + leaves.max(axis=0)) / 2
        taken[tree.output : tree.output + len(middle)] += middle
        trees.append(dataclasses.replace(tree, value=tree.value - middle))
    return dataclasses.replace(ensemble, trees=tuple(trees), base=np.zeros_like(taken)), taken


class _Writer(NodeWriter):
    """Writes the nodes of an ensemble."""

    def trees(self, ensemble: Ensemble, rows: str, *, double: bool) -> str:
        """The sum of the trees."""
        attributes = _attributes(ensemble, double=double)
        if ensemble.missing is not None:
            rows = self.with_gaps(rows, np.array(ensemble.missing, np.float64 if double else np.float32))
        name = f"{self.prefix}_{len(self.nodes)}"
        node = helper.make_node("TreeEnsembleRegressor", [rows], [name], name=f"{self.prefix}_sum", domain=_ML)
        node.attribute.extend(attributes)
        self.nodes.append(node)
        return name

    def with_gaps(self, rows: str, missing: Array) -> str:
        """The rows with NaN for the number that counts as missing."""
        is_gap = self.add("Equal", rows, self.constant("missing", missing))
        return self.add("Where", is_gap, self.constant("gap", np.array(np.nan, missing.dtype)), rows)

    def value(self, link: str, raw: str, output: str, number: type[np.floating[Any]]) -> str:
        """A regressor's number."""
        if link == links.SQUARE:
            return self.add("Mul", self.add("Abs", raw), raw, output=output)
        if link == links.SIGMOID:
            return self.sigmoid(raw, output, number)
        return self.add({links.IDENTITY: "Identity", links.EXP: "Exp"}[link], raw, output=output)

    def sigmoid(self, raw: str, output: str = "", number: type[np.floating[Any]] = np.float32) -> str:
        """1 / (1 + e^-x), right for small shares too: onnxruntime's own operator gives no number below 1.2e-7, and is 1e-7 off above that."""
        return self.add("Reciprocal", self.add("Add", self.add("Exp", self.add("Neg", raw)), self.constant("unit", number(1))), output=output)

    def outliers(self, isolation: Isolation, raw: str, outputs: tuple[str, ...]) -> None:
        """1 or -1 [batch], and the score [batch, 1].

        The label is decided by the length, not by the score: the limit is a hair below what gives a score of 0, for rows that the forest was fitted
        on may have exactly that length, and they are no outliers.
        """
        length = self.add("MatMul", self.add("Cast", raw, to=TensorProto.DOUBLE), self.constant("units", isolation.units.reshape(-1, 1)))
        limit = -isolation.normal * float(np.log2(-isolation.offset)) * (1 - _HAIR)
        below = self.add("Less", length, self.constant("limit", np.float64(limit)))
        signs = self.add("Where", below, self.constant("outlier", np.array(-1)), self.constant("inlier", np.array(1)))
        self.add("Reshape", signs, self.constant("flat", np.array([-1])), output=outputs[0])
        exponent = self.add("Mul", length, self.constant("per_length", np.float64(-1 / isolation.normal)))
        isolation_score = self.add("Neg", self.add("Pow", self.constant("two", np.float64(2)), exponent))
        score = self.add("Sub", isolation_score, self.constant("offset", np.float64(isolation.offset)))
        if len(outputs) > 1:
            self.add("Cast", score, to=TensorProto.FLOAT, output=outputs[1])

    def classes(self, ensemble: Ensemble, raw: str, outputs: tuple[str, ...], *, scores: bool) -> None:
        """A classifier's label, and its probabilities if they are wanted."""
        binary = ensemble.outputs == 1
        if binary:
            above = self.add("Greater", raw, self.constant("zero", np.float32(0)))
            best = self.add("Reshape", self.add("Cast", above, to=TensorProto.INT64), self.constant("flat", np.array([-1])))
        else:
            best = self.add("ArgMax", raw, axis=1, keepdims=0)
        self.add("Gather", self.constant("classes", label_values(ensemble.classes)), best, output=outputs[0], axis=0)
        if len(outputs) > 1 and scores:
            self.add("Concat", self.add("Neg", raw), raw, output=outputs[1], axis=1) if binary else self.add("Identity", raw, output=outputs[1])
        elif len(outputs) > 1:
            self.probabilities(ensemble.link, raw, outputs[1], binary=binary)

    def probabilities(self, link: str, raw: str, output: str, *, binary: bool) -> None:
        """[batch, classes]."""
        if link == links.PROBABILITIES:
            self.add("Identity", raw, output=output)
        elif link == links.SOFTMAX:
            self.add("Softmax", raw, output=output, axis=1)
        elif binary:
            one = self.sigmoid(raw)
            self.add("Concat", self.add("Sub", self.constant("one", np.float32(1)), one), one, output=output, axis=1)
        else:
            self.sigmoid(raw, output)


def _attributes(ensemble: Ensemble, *, double: bool) -> list[onnx.AttributeProto]:
    trees = ensemble.trees
    sizes = [len(tree.feature) for tree in trees]
    inner = np.concatenate([tree.feature >= 0 for tree in trees])
    modes = np.concatenate([np.full(len(tree.feature), tree.strict) for tree in trees])
    number = _stacked([np.full(size, at) for at, size in enumerate(sizes)])
    node = _stacked([np.arange(size) for size in sizes])
    owner, place, target, weight = _weights(ensemble)
    names: Any = np.where(inner, np.where(modes, b"BRANCH_LT", b"BRANCH_LEQ"), b"LEAF")
    integers = {
        "nodes_treeids": number,
        "nodes_nodeids": node,
        "nodes_featureids": np.where(inner, _stacked([tree.feature for tree in trees]), 0),
        "nodes_truenodeids": _stacked([tree.left for tree in trees]),
        "nodes_falsenodeids": _stacked([tree.right for tree in trees]),
        "nodes_missing_value_tracks_true": np.where(inner, _stacked([tree.missing_left for tree in trees]), 0),
        "target_treeids": owner,
        "target_nodeids": place,
        "target_ids": target,
    }
    thresholds = np.concatenate([np.asarray(tree.threshold, np.float64) for tree in trees])
    floats = {"nodes_values": thresholds if double else round_down(thresholds), "target_weights": weight, "base_values": ensemble.base}
    attributes = [_make(name, onnx.AttributeProto.INTS, ints=values.astype(np.int64).tolist()) for name, values in integers.items()]
    attributes.append(_make("nodes_modes", onnx.AttributeProto.STRINGS, strings=names.tolist()))
    for name, values in floats.items():
        if double:
            tensor = numpy_helper.from_array(values.astype(np.float64), name)
            attributes.append(_make(f"{name}_as_tensor", onnx.AttributeProto.TENSOR, t=tensor))
        else:
            attributes.append(_make(name, onnx.AttributeProto.FLOATS, floats=values.astype(np.float32).tolist()))
    attributes.append(_make("n_targets", onnx.AttributeProto.INT, i=ensemble.outputs))
    return attributes


def _make(name: str, attribute_type: int, **content: Any) -> onnx.AttributeProto:
    return onnx.AttributeProto(name=name, type=attribute_type, **content)  # type: ignore[arg-type]


def _stacked(columns: list[Array]) -> Array:
    return np.concatenate([np.asarray(column, np.int64) for column in columns])


def _weights(ensemble: Ensemble) -> tuple[Array, Array, Array, Array]:
    """Of each leaf: tree, node, output and what it adds; zeros are left out, but for one in a leaf that has nothing else."""
    columns: list[tuple[Array, Array, Array, Array]] = []
    for at, tree in enumerate(ensemble.trees):
        leaf = tree.feature < 0
        written = (tree.value != 0) & leaf[:, None]
        written[leaf & ~written.any(axis=1), 0] = True
        node, output = np.nonzero(written)
        columns.append((np.full(len(node), at), node, output + tree.output, tree.value[written]))
    owner, place, target, weight = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return owner, place, target, weight
