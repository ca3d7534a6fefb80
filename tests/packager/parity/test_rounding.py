"""What is allowed for the rounding of an output's own operator, and that nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

from sealift_packager.parity.compare import compare
from sealift_packager.parity.rounding import LOGISTIC_STEPS, SIGMOID_STEPS, rounding_of
from support.graphs import model, value

STEP = float(np.finfo(np.float32).eps)


def graph(*operators: str, kind: int = TensorProto.FLOAT) -> ModelProto:
    names = ["x", *(f"t{at}" for at in range(len(operators) - 1)), "y"]
    nodes = [helper.make_node(operator, [names[at]], [names[at + 1]]) for at, operator in enumerate(operators)]
    return model(nodes, [value("x", ["n"], kind)], [value("y", ["n"], kind)], [])


def test_onnxruntime_s_sigmoid_is_within_half_of_what_is_allowed_between_two_answers() -> None:
    session = onnxruntime.InferenceSession(graph("Sigmoid").SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.linspace(-18, 18, 200_001).astype(np.float32)
    error = np.abs(session.run(None, {"x": x})[0] - 1 / (1 + np.exp(-x.astype(np.float64))))
    assert error.max() <= SIGMOID_STEPS / 2 * STEP


@pytest.mark.parametrize(
    ("operators", "kind", "allowed"),
    [
        (("Sigmoid",), TensorProto.FLOAT, True),
        (("Sigmoid", "Identity"), TensorProto.FLOAT, True),
        (("Sigmoid", "Identity", "Identity"), TensorProto.FLOAT, True),
        (("Identity",), TensorProto.FLOAT, False),
        (("Sigmoid", "Sqrt"), TensorProto.FLOAT, False),
        (("Exp",), TensorProto.FLOAT, False),
        (("Sigmoid",), TensorProto.DOUBLE, False),
    ],
)
def test_only_float32_outputs_of_a_sigmoid_are_allowed_its_rounding(operators: tuple[str, ...], kind: int, allowed: bool) -> None:
    assert rounding_of(graph(*operators, kind=kind)) == ({"y": SIGMOID_STEPS * STEP} if allowed else {})


def classifier(transform: str, *after: str) -> ModelProto:
    """Two classes by the sign of x."""
    names = ["p", *(f"t{at}" for at in range(len(after) - 1)), "y"] if after else ["y"]
    attributes: dict[str, Any] = {"coefficients": [-1.0, 1.0], "intercepts": [0.0, 0.0], "classlabels_ints": [0, 1], "post_transform": transform}
    nodes = [helper.make_node("LinearClassifier", ["x"], ["label", names[0]], domain="ai.onnx.ml", **attributes)]
    nodes += [helper.make_node(operator, [names[at]], [names[at + 1]]) for at, operator in enumerate(after)]
    made = model(nodes, [value("x", ["n", 1])], [value("y", ["n", 2])], [])
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    return made


def test_a_linear_classifier_s_probabilities_are_within_what_is_allowed() -> None:
    session = onnxruntime.InferenceSession(classifier("LOGISTIC").SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.linspace(-18, 18, 200_001).astype(np.float32).reshape(-1, 1)
    wide = x.astype(np.float64)
    error = np.abs(session.run(["y"], {"x": x})[0] - np.column_stack([1 / (1 + np.exp(wide)), 1 / (1 + np.exp(-wide))]))
    assert STEP / 4 < error.max() <= LOGISTIC_STEPS * STEP


@pytest.mark.parametrize(
    ("transform", "after", "allowed"),
    [("LOGISTIC", (), True), ("LOGISTIC", ("Identity",), True), ("LOGISTIC", ("Sqrt",), False), ("SOFTMAX", (), False), ("NONE", (), False)],
)
def test_only_its_logistic_function_is_allowed_it(transform: str, after: tuple[str, ...], allowed: bool) -> None:
    assert rounding_of(classifier(transform, *after)) == ({"y": LOGISTIC_STEPS * STEP} if allowed else {})


@pytest.mark.parametrize(("steps", "differs"), [(2.8, False), (3.5, True), (8, True)])
def test_more_than_the_rounding_of_two_answers_is_a_difference(steps: float, differs: bool) -> None:
    reference = np.full((8, 3), 1e-6, np.float64)
    assert bool(compare({"y": reference}, {"y": reference + steps * STEP}, least={"y": SIGMOID_STEPS * STEP})) is differs
    assert compare({"y": reference}, {"y": reference + steps * STEP})
