"""Scales that cost bytes and buy nothing: shared where a weight's channels are alike, zero points left out where they are zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift_packager.candidates.candidate import Quantization
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.onnxruntime_backend import prepare, quantize_static
from sealift_packager.quantize.ranges import METHODS, observe
from sealift_packager.quantize.scales import SHARED_ERROR, shared_error, shared_scales

RANDOM = np.random.default_rng(0)
ALIKE = RANDOM.normal(0, 1, (64, 16, 1, 1)).astype(np.float32)
UNLIKE = (RANDOM.normal(0, 1, (16, 1, 3, 3)) * np.geomspace(0.01, 10, 16).reshape(16, 1, 1, 1)).astype(np.float32)
DENSE = RANDOM.normal(0, 1, (16, 128, 3, 3)).astype(np.float32)
WEIGHTS = {
    "depth": UNLIKE,
    "depth_bias": RANDOM.normal(0, 1, 16).astype(np.float32),
    "point": ALIKE,
    "point_bias": RANDOM.normal(0, 1, 64).astype(np.float32),
    "head": RANDOM.normal(0, 0.1, (10, 64)).astype(np.float32),
    "head_bias": np.zeros(10, np.float32),
}
SETTINGS = Quantization(activation="uint8", weight="int8", reduce_range=True, per_channel=True, calibration=next(iter(METHODS)))


def net() -> onnx.ModelProto:
    """A depthwise convolution with unlike channels, a pointwise one with channels alike, and a Gemm."""
    nodes = [
        helper.make_node("Conv", ["x", "depth", "depth_bias"], ["a"], name="depthwise", group=16, pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "point", "point_bias"], ["b"], name="pointwise"),
        helper.make_node("GlobalAveragePool", ["b"], ["c"], name="pool"),
        helper.make_node("Flatten", ["c"], ["d"], name="flatten"),
        helper.make_node("Gemm", ["d", "head", "head_bias"], ["y"], name="gemm", transB=1),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16, 8, 8])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "net", [image], [output], [numpy_helper.from_array(value, name) for name, value in WEIGHTS.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    folder = tmp_path_factory.mktemp("scales")
    prepared = prepare(net(), folder)
    histograms, rows = observe(prepared, [{"x": RANDOM.normal(0, 1, (1, 16, 8, 8)).astype(np.float32)} for _ in range(20)])
    return quantize_static(prepared, SETTINGS, Calibration(histograms=histograms, maxima={}, rows=rows), folder)


def scales(model: onnx.ModelProto, weight: str) -> Any:
    return next(numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == f"{weight}_scale")


@pytest.mark.parametrize(("weight", "shared"), [(ALIKE, True), (UNLIKE, False), (np.zeros((4, 1, 1, 1), np.float32), True)])
def test_one_scale_is_enough_where_channels_are_alike(weight: Any, shared: bool) -> None:
    assert (shared_error(weight) <= SHARED_ERROR) is shared


def test_a_channel_s_error_counts_by_its_own_size() -> None:
    tiny = ALIKE.copy()
    tiny[0] *= 1e-3  # rounded to nothing: all of one channel in 64
    assert shared_error(tiny) == pytest.approx(shared_error(ALIKE) * 63 / 64 + 1 / 64, rel=0.05)


def test_weights_whose_scales_weigh_nothing_keep_them() -> None:
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["y"])],
            "dense",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 128, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(DENSE, "w")],
        )
    )
    assert shared_error(DENSE) < SHARED_ERROR
    assert shared_scales(model) == []


def test_a_convolution_shares_its_scale_and_another_keeps_one_for_each_channel(quantized: onnx.ModelProto) -> None:
    assert shared_scales(net()) == ["point"]
    assert scales(quantized, "point").shape == ()
    assert scales(quantized, "depth").shape == (16,)


def test_zero_points_of_zero_are_left_out_and_all_is_fused_as_before(quantized: onnx.ModelProto, tmp_path: Path) -> None:
    of_weights = [
        tensor.name for tensor in quantized.graph.initializer if tensor.name.endswith("_zero_point") and tensor.data_type != TensorProto.UINT8
    ]
    assert not [name for name in of_weights if name.startswith(("depth", "point"))]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    session = onnxruntime.InferenceSession(quantized.SerializeToString(), options)
    optimized = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert optimized.count("QLinearConv") == 2
    assert optimized.count("QGemm") == 1
    rows = RANDOM.normal(0, 1, (5, 16, 8, 8)).astype(np.float32)
    exact = onnxruntime.InferenceSession(net().SerializeToString()).run(None, {"x": rows})[0]
    assert np.abs(session.run(None, {"x": rows})[0] - exact).max() < 0.15 * np.abs(exact).max()
