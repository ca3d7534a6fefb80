"""Holdouts with rows that lack numbers: a model that answers them is calibrated and judged by them, and none of its figures becomes no number."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_packager.build.pipeline import pack
from sealift_packager.candidates.candidate import Quantization
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.quantize.calibration import Calibration, requests
from sealift_packager.quantize.onnxruntime_backend import prepare, quantize_static
from sealift_packager.quantize.ranges import METHODS, observe
from sealift_packager.quantize.sensitivity import node_errors
from sealift_packager.quantize.smoothing import channel_maxima, smooth
from support.packing import elsewhere, request
from support.trained import Trained

RANDOM: Final = np.random.default_rng(0)
WIDTH: Final = 32
ROWS: Final = RANDOM.normal(size=(400, WIDTH)).astype(np.float32)
GAPS: Final = np.where((np.arange(400) % 4 == 0)[:, None] & (RANDOM.random((400, WIDTH)) < 0.2), np.float32(np.nan), ROWS)
WEIGHTS: Final[dict[str, Any]] = {
    "first": RANDOM.normal(size=(WIDTH, WIDTH)).astype(np.float32) / 4,
    "last": RANDOM.normal(size=(WIDTH, 2)).astype(np.float32),
}


def net(*, fills: bool) -> onnx.ModelProto:
    """A net that fills a gap with 0 at once, or lets gaps through its products and puts 0 in the place of what comes of them."""
    node = helper.make_node
    nodes = [node("IsNaN", ["x"], ["gap"]), node("Where", ["gap", "zero", "x"], ["filled"])] if fills else []
    last = "filled" if fills else "x"
    nodes += [
        node("MatMul", [last, "first"], ["product"], name="first"),
        node("Relu", ["product"], ["hidden"]),
        node("MatMul", ["hidden", "last"], ["scores"], name="last"),
        node("IsNaN", ["scores"], ["unknown"]),
        node("Where", ["unknown", "zero", "scores"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    weights = [onnx.numpy_helper.from_array(array, name) for name, array in WEIGHTS.items()]
    weights.append(onnx.numpy_helper.from_array(np.array(0, np.float32), "zero"))
    ends = [value("x", TensorProto.FLOAT, ["batch", WIDTH])], [value("y", TensorProto.FLOAT, ["batch", 2])]
    return helper.make_model(helper.make_graph(nodes, "net", *ends, weights), opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


@pytest.mark.parametrize("fills", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_ranges_come_from_the_numbers_that_are_there(method: str, fills: bool, tmp_path: Path) -> None:
    model = prepare(net(fills=fills), tmp_path)
    histograms, rows = observe(model, requests({"x": GAPS[:64]}, 1))
    assert rows == 64
    assert all(math.isfinite(end) for histogram in histograms.values() for end in METHODS[method](histogram))
    settings = Quantization(activation="uint8", weight="int8", reduce_range=True, per_channel=True, calibration=method)
    small = quantize_static(model, settings, Calibration(histograms=histograms), tmp_path)
    whole = ROWS[:64]
    expected, found = (run_session(open_session(one, Settings(), where="test"), {"x": whole})["y"] for one in (model, small))
    assert np.abs(found - expected).max() < 0.2 * np.ptp(expected)


@pytest.mark.parametrize("fills", [True, False])
@pytest.mark.parametrize("calibration", ["minmax", ""])
def test_what_a_node_loses_is_a_number(calibration: str, fills: bool) -> None:
    model = net(fills=fills)
    asked = list(requests({"x": GAPS[:16]}, 1))
    settings = Quantization(activation="uint8", weight="int8", reduce_range=False, per_channel=True, calibration=calibration)
    errors = node_errors(model, settings, observe(model, asked)[0], asked)
    assert errors.keys() == {"first", "last"}
    assert all(0 < error < 0.1 for error in errors.values())


def test_smoothing_goes_by_the_numbers_that_are_there() -> None:
    model = net(fills=False)
    maxima, _ = channel_maxima(model, requests({"x": GAPS[:64]}, 1))
    assert all(np.isfinite(values).all() for values in maxima.values())
    smoothed = smooth(model, maxima, 0.7)
    expected, found = (run_session(open_session(one, Settings(), where="test"), {"x": GAPS})["y"] for one in (model, smoothed))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fills", [True, False])
def test_a_model_that_answers_gaps_is_packed_with_a_holdout_of_some_as_what_answers_them(fills: bool, tmp_path: Path) -> None:
    model = net(fills=fills)
    onnx.save(model, tmp_path / "m.onnx")
    target = run_session(open_session(model, Settings(), where="test"), {"x": GAPS})["y"].argmax(axis=1)
    np.savez(tmp_path / "rows.npz", x=GAPS, target=target)
    what = Trained(model=tmp_path / "m.onnx", data=tmp_path / "rows.npz", target="target")
    packed = pack(request(what, tmp_path / "out", elsewhere(objective=("size",)), max_drop=0.05, metric="accuracy"))
    (manifest,) = packed.manifests.values()
    assert manifest.evaluation.holdout_rows == 400
    assert manifest.model.precision.startswith("int8" if fills else "fp32")  # int8 has no gaps: a product makes numbers of them
    assert manifest.evaluation.accuracy is not None
    assert manifest.evaluation.accuracy.packaged > 0.95
