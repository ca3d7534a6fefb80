"""Residuals apart from the normalization behind them: what is computed stays, and onnxruntime no longer fuses the two."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift_packager.graph import graph
from sealift_packager.graph.residual import separate_residuals, wins_apart
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.profiles.library import load_profile

WIDTH = 64
RANDOM = np.random.default_rng(0)


def block(element: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """y = norm(x + x · w) + bias, [batch, length, 64]."""
    dtype = helper.tensor_dtype_to_np_dtype(element)
    weights = {"w": RANDOM.normal(size=(WIDTH, WIDTH)) / 8, "scale": RANDOM.normal(size=WIDTH), "bias": RANDOM.normal(size=WIDTH)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Add", ["x", "product"], ["sum"]),
        helper.make_node("LayerNormalization", ["sum", "scale", "bias"], ["normal"]),
        helper.make_node("Add", ["normal", "bias"], ["y"]),
    ]
    shape: list[str | int | None] = ["batch", "length", WIDTH]
    ends = [helper.make_tensor_value_info(name, element, shape) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(value.astype(dtype), name) for name, value in weights.items()]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    return graph.tidy(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def loaded(model: onnx.ModelProto, tmp_path: Path) -> set[str]:
    """The operators that onnxruntime runs in the end."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return set(operators(onnx.load(tmp_path / "optimized.onnx")))


def test_a_residual_and_its_normalization_stay_two_operators_and_compute_the_same(tmp_path: Path) -> None:
    model = block()
    apart = separate_residuals(model)
    onnx.checker.check_model(apart, full_check=True)
    assert operators(apart) == ["MatMul", "Sum", "LayerNormalization", "Add"]
    assert "SkipLayerNormalization" in loaded(model, tmp_path)
    assert "LayerNormalization" in loaded(apart, tmp_path)
    rows = {"x": RANDOM.normal(size=(3, 7, WIDTH)).astype(np.float32)}
    fused, separate = (run_session(open_session(form, Settings(), where="test"), rows)["y"] for form in (model, apart))
    np.testing.assert_allclose(separate, fused, rtol=1e-4, atol=1e-5)


def test_a_sum_in_half_precision_which_the_cpu_has_no_kernel_for_stays_an_add() -> None:
    assert operators(separate_residuals(block(TensorProto.FLOAT16))) == operators(block())


@pytest.mark.parametrize(
    ("name", "version", "wins"),
    [
        ("x86-64-avx2", "1.30.0", True),
        ("x86-64-avx512-vnni", "1.31.1", True),
        ("x86-64-avx2", "1.29.0", False),
        ("x86-64-baseline", "1.31.1", False),
        ("arm64-dotprod", "1.31.1", False),
        ("nvidia-cuda", "1.31.1", False),
        ("intel-openvino", "1.31.1", False),
    ],
)
def test_they_are_kept_apart_where_the_kernel_is_that_makes_it_worthwhile(name: str, version: str, wins: bool) -> None:
    assert wins_apart(load_profile(name), version) == wins


def test_another_provider_first_keeps_what_its_own_fusion_expects() -> None:
    profile = dataclasses.replace(load_profile("x86-64-avx2"), providers=("CUDAExecutionProvider", "CPUExecutionProvider"))
    assert not wins_apart(profile, "1.31.1")


def test_a_bias_stays_with_its_product() -> None:
    model = block()
    model.graph.node[1].input[0] = "bias"
    assert operators(separate_residuals(model)) == ["MatMul", "Add", "LayerNormalization", "Add"]
