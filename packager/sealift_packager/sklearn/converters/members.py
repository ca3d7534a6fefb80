"""Classifiers made of others, where skl2onnx asks the members for something else than scikit-learn does: votes, bags, stacks, pairs."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper

from sealift_packager.graph import graph
from sealift_packager.graph.labels import label_type, label_values
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.columns import is_text, numbers_type
from sealift_packager.sklearn.converters.inner_trees import wants_scores
from sealift_packager.sklearn.converters.shares import logistic, of_their_sum

#: skl2onnx's operator within a OneVsOneClassifier, which it asks for by the same class.
OF_PAIRS: Final = "SklearnOVRDecisionFunction"


def write_vote(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a VotingClassifier; a hard vote counts the members' labels, not their best probabilities."""
    model = operator.raw_operator
    if model.voting != "hard":
        _mean_vote(scope, operator, container)
        return
    labels = [ask_classifier(scope, container, member, operator.inputs)[0] for member in model.estimators_]
    weights = model._weights_not_none  # noqa: SLF001
    _count(scope, operator, container, labels, np.ones(len(labels)) if weights is None else np.asarray(weights))


def _mean_vote(scope: Any, operator: Any, container: Any) -> None:
    """The members' probabilities, averaged by weight; members that were dropped have neither."""
    model = operator.raw_operator
    weights = model._weights_not_none  # noqa: SLF001
    weights = np.ones(len(model.estimators_)) if weights is None else np.asarray(weights, np.float64)
    writer = NodeWriter(scope.get_unique_operator_name("mean_vote"))
    shares = []
    for at, member in enumerate(model.estimators_):
        values = writer.add("Cast", ask_classifier(scope, container, member, operator.inputs)[1], to=TensorProto.DOUBLE)
        shares.append(writer.add("Mul", values, writer.constant(f"weight_{at}", weights[at] / weights.sum())))
    mean = writer.add("Sum", *shares)
    name_class(writer, operator, writer.add("ArgMax", mean, axis=1, keepdims=0))
    writer.add("Cast", mean, output=operator.outputs[1].full_name, to=operator.outputs[1].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def write_bag(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a BaggingClassifier; members without probabilities vote, each row for itself."""
    model = operator.raw_operator
    if hasattr(model.estimators_[0], "predict_proba"):
        leave_to_skl2onnx(scope, operator, container)
        return
    labels = []
    for member, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        part = chosen_columns(scope, operator, container, columns)
        labels.append(ask_classifier(scope, container, member, part)[0])
    _count(scope, operator, container, labels, np.ones(len(labels)))


def write_stack(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a StackingClassifier; a score of two classes is one column."""
    model = operator.raw_operator
    methods, several = set(model.stack_method_), len(operator.inputs) > 1 or is_text(operator.inputs[0])
    if not methods <= {"decision_function", "predict_proba"} or not (several or "decision_function" in methods):
        leave_to_skl2onnx(scope, operator, container)
        return
    writer = NodeWriter(scope.get_unique_operator_name("stack"))
    stacked_type = numbers_type(operator.inputs, [None, model.final_estimator_.n_features_in_])
    element_type = stacked_type.to_onnx_type().tensor_type.elem_type
    columns: list[str] = []
    for member, method in zip(model.estimators_, model.stack_method_, strict=True):
        values = ask_classifier(scope, container, member, operator.inputs, scores=method == "decision_function")[1]
        if len(model.classes_) == 2:
            values = writer.add("Gather", values, writer.constant(f"second_{len(columns)}", np.array([1])), axis=1)
        columns.append(writer.add("Cast", values, to=element_type))
    columns += [variable.full_name for variable in operator.inputs] if model.passthrough else []
    merged = scope.declare_local_variable("stacked", stacked_type)
    writer.add("Concat", *columns, output=merged.full_name, axis=1)
    label, probabilities = ask_classifier(scope, container, model.final_estimator_, [merged])
    name_class(writer, operator, label)
    writer.add("Identity", probabilities, output=operator.outputs[1].full_name)
    writer.put_into(container)


def write_pairs(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a OneVsOneClassifier, whose label is a class's number there, [batch, 1], whatever the classes are."""
    start, given = len(container.nodes), operator.outputs[0].full_name
    leave_to_skl2onnx(scope, operator, container)
    if operator.type == OF_PAIRS:  # it has one score for each class, and no label
        return
    writer = NodeWriter(scope.get_unique_operator_name("pairs"))
    graph.rename_tensors(container.nodes[start:], {given: f"{writer.prefix}_number"})
    name_class(writer, operator, f"{writer.prefix}_number")
    writer.put_into(container)


def write_rest(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a OneVsRestClassifier; the label is the one with the largest score of its member, where members have scores.

    Probabilities may all be 1, far from the data.
    """
    model, start, given = operator.raw_operator, len(container.nodes), operator.outputs[0].full_name
    leave_to_skl2onnx(scope, operator, container)
    writer = NodeWriter(scope.get_unique_operator_name("rest"))
    _as_installed(writer, container.nodes[start:])
    scored = all(hasattr(member, "decision_function") and hasattr(member, "predict_proba") for member in model.estimators_)
    constant = any(type(member).__name__ == "_ConstantPredictor" for member in model.estimators_)
    if not scored or constant or len(model.estimators_) < 2 or wants_scores(scope, operator, container):
        writer.put_into(container)
        return
    graph.rename_tensors(container.nodes[start:], {given: f"{writer.prefix}_by_probability"})
    second, columns = writer.constant("second", np.array([1])), []
    for member in model.estimators_:
        again = copy.deepcopy(member)  # skl2onnx keeps an estimator's options by its identity, and this one gives probabilities already
        scores = ask_classifier(scope, container, again, operator.inputs, scores=True)[1]
        columns.append(writer.add("Gather", scores, second, axis=1))
    score = writer.add("Concat", *columns, axis=1)
    name_class(writer, operator, writer.add("ArgMax", score, axis=1, keepdims=0, select_last_index=int(takes_last_of_equals())))
    if all(map(_is_logistic, model.estimators_)):
        each = logistic(writer, writer.add("Cast", score, to=TensorProto.DOUBLE))
        shares = of_their_sum(writer, each, of_none=None if divides_by_zero() else 0.0)
        probabilities = operator.outputs[1]
        graph.rename_tensors(container.nodes[start:], {probabilities.full_name: f"{writer.prefix}_narrow"})
        writer.add("Cast", shares, output=probabilities.full_name, to=probabilities.type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def _is_logistic(member: Any) -> bool:
    """Whether its probability is the logistic function of its score."""
    final = member.steps[-1][1] if hasattr(member, "steps") else member
    by_descent = hasattr(final, "coef_") and getattr(final, "loss", "") == "log_loss"
    return by_descent or type(final).__name__ in ("LogisticRegression", "LogisticRegressionCV")


def _as_installed(writer: NodeWriter, nodes: Sequence[Any]) -> None:
    """Let skl2onnx's nodes of a OneVsRestClassifier do with equal scores, and with probabilities that are all 0, what this scikit-learn does."""
    for node in nodes:
        if node.op_type == "ArgMax" and takes_last_of_equals():
            node.attribute.append(helper.make_attribute("select_last_index", 1))
        if node.op_type == "LpNormalization" and divides_by_zero():
            total = writer.add("ReduceSum", node.input[0], writer.constant("columns", np.array([1])), keepdims=1)
            node.op_type, node.input[:] = "Div", [node.input[0], total]
            del node.attribute[:]


@functools.cache
def takes_last_of_equals() -> bool:
    """Whether the installed scikit-learn's OneVsRestClassifier takes the last of classes with equal scores; from 1.8 on it takes the first."""
    return bool(_refusing_all().predict(np.zeros((1, 1)))[0] == 2)


@functools.cache
def divides_by_zero() -> bool:
    """Whether its probabilities are NaN where every member says 0; from 1.7 on they are 0."""
    with np.errstate(invalid="ignore"):
        answers = _refusing_all().predict_proba(np.zeros((1, 1)))
    return bool(np.isnan(answers).all())


def _refusing_all() -> Any:
    """A classifier of three classes whose members all say 0 to every row."""
    from sklearn.dummy import DummyClassifier
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(DummyClassifier(strategy="constant", constant=0)).fit(np.zeros((3, 1)), range(3))


def shape_of_pairs(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common._registration import get_shape_calculator

    if operator.type == OF_PAIRS:
        get_shape_calculator(OF_PAIRS)(operator)
    else:
        shape_of_members(operator)


def shape_of_rest(operator: Any) -> None:
    """skl2onnx's shape calculator of a OneVsRestClassifier, which is skl2onnx's own."""
    from skl2onnx.common._registration import get_shape_calculator

    if len(operator.inputs) > 1:  # which that one refuses
        shape_of_members(operator)
    else:
        get_shape_calculator(operator.type)(operator)


def shape_of_members(operator: Any) -> None:
    """skl2onnx's shape calculator of all others."""
    classes = operator.raw_operator.classes_
    operator.outputs[0].type = label_type(classes)
    operator.outputs[1].type = numbers_type(operator.inputs, [None, len(classes)])


def leave_to_skl2onnx(scope: Any, operator: Any, container: Any) -> None:
    """Convert as skl2onnx does by itself."""
    from skl2onnx.common._registration import get_converter

    get_converter(operator.type)(scope, operator, container)


def chosen_columns(scope: Any, operator: Any, container: Any, columns: Sequence[int]) -> list[Any]:
    """The operator's rows, of them these columns."""
    part = scope.declare_local_variable("bag_columns", operator.inputs[0].type.__class__([None, len(columns)]))
    index = scope.get_unique_variable_name("bag_index")
    container.add_initializer(index, TensorProto.INT64, [len(columns)], [int(column) for column in columns])
    name = scope.get_unique_operator_name("bag_gather")
    container.add_node("Gather", [operator.inputs[0].full_name, index], [part.full_name], name=name, axis=1)
    return [part]


def ask_regressor(scope: Any, model: Any, inputs: Sequence[Any], given: Any = None) -> str:
    """What a regressor within another predicts, as a type of skl2onnx's if one is ``given``."""
    from skl2onnx._supported_operators import sklearn_operator_name_map

    inner = scope.declare_local_operator(sklearn_operator_name_map[type(model)], model)
    inner.inputs.extend(inputs)
    value = scope.declare_local_variable("member_prediction", given or numbers_type(inputs, []))
    inner.outputs.append(value)
    return str(value.full_name)


def ask_classifier(scope: Any, container: Any, model: Any, inputs: Sequence[Any], *, scores: bool = False) -> tuple[str, str]:
    """The label of a classifier within another, and its probabilities or, of two classes minus and plus, its ``scores``."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common.data_types import Int64TensorType

    final = model.steps[-1][1] if hasattr(model, "steps") else model
    if scores and container.has_options(final, "raw_scores"):
        scope.add_options(id(final), {"raw_scores": True})
        container.add_options(id(final), {"raw_scores": True})
    inner = scope.declare_local_operator(sklearn_operator_name_map[type(model)], model)
    inner.inputs.extend(inputs)
    label = scope.declare_local_variable("member_label", Int64TensorType())
    values = scope.declare_local_variable("member_values", numbers_type(inputs, []))
    inner.outputs.extend([label, values])
    return label.full_name, values.full_name


def _count(scope: Any, operator: Any, container: Any, labels: Sequence[str], weights: Any) -> None:
    """The class that most members name, the first of those that are equal, and each one's share."""
    classes = len(operator.raw_operator.classes_)
    writer = NodeWriter(scope.get_unique_operator_name("votes"))
    columns = [writer.add("Reshape", label, writer.constant(f"flat_{at}", np.array([-1, 1]))) for at, label in enumerate(labels)]
    named = writer.add("Unsqueeze", writer.add("Concat", *columns, axis=1), writer.constant("last", np.array([2])))
    same = writer.add("Cast", writer.add("Equal", named, writer.constant("numbers", np.arange(classes))), to=TensorProto.DOUBLE)
    weighed = writer.add("Mul", same, writer.constant("weights", weights.astype(np.float64).reshape(-1, 1)))
    votes = writer.add("ReduceSum", weighed, writer.constant("members", np.array([1])), keepdims=0)
    name_class(writer, operator, writer.add("ArgMax", votes, axis=1, keepdims=0))
    share = writer.add("Div", votes, writer.constant("all", np.float64(weights.sum())))
    writer.add("Cast", share, output=operator.outputs[1].full_name, to=operator.outputs[1].type.to_onnx_type().tensor_type.elem_type)
    writer.put_into(container)


def name_class(writer: NodeWriter, operator: Any, number: str) -> None:
    """The label [batch] of a class's number, in any shape of as many."""
    classes = writer.constant("classes", label_values(operator.raw_operator.classes_))
    flat = writer.add("Reshape", number, writer.constant("flat", np.array([-1])))
    writer.add("Gather", classes, flat, output=operator.outputs[0].full_name)
