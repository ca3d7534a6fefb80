"""int8 that is sound on the profile's hardware: what reduce_range is for, and what the MNIST example must reach."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sealift_core.hardware.machine import detect_machine
from sealift_packager.candidates.candidate import Candidate, Quantization
from sealift_packager.candidates.from_profile import FP32
from sealift_packager.candidates.judgement import ROUNDING
from sealift_packager.errors import QuantizationError
from sealift_packager.graph.graph import output_specs
from sealift_packager.graph.session import Settings, open_session, run_batched, run_session
from sealift_packager.measure import latency
from sealift_packager.measure.accuracy import assess
from sealift_packager.measure.emulation import PROCESSORS, find_emulator, run_emulated
from sealift_packager.measure.metrics import METRICS
from sealift_packager.measure.predictions import read_prediction
from sealift_packager.profiles.library import load_profile
from sealift_packager.quantize.calibration import Calibration, requests
from sealift_packager.quantize.onnxruntime_backend import prepare
from sealift_packager.quantize.ranges import observe
from sealift_packager.quantize.registry import quantize
from sealift_packager.quantize.saturation import may_saturate
from sealift_packager.search.folds import ROWS, split, take
from support import trained

Array = np.ndarray[Any, np.dtype[Any]]


def int8_static(source: trained.Trained, model: onnx.ModelProto, scratch: Path, *, reduce_range: bool) -> onnx.ModelProto:
    images = np.load(source.data)["image"]
    settings = Quantization(activation="uint8", weight="int8", reduce_range=reduce_range, per_channel=True, calibration="minmax")
    prepared = prepare(model, scratch)
    rows = take({"image": images}, split(len(images), seed=0).calibration)
    calibration = Calibration(histograms=observe(prepared, requests(rows, 1))[0])
    return quantize(Candidate(name="q", precision="int8-static", quantization=settings), prepared, calibration, scratch)


def logits(model: onnx.ModelProto, images: Array) -> Array:
    return run_batched(open_session(model, Settings(), where="model"), {"image": images})["output"]


@functools.cache
def mnist_model() -> onnx.ModelProto:
    from sealift_packager.frameworks.converters import convert_model
    from sealift_packager.frameworks.loaders import load_model
    from sealift_packager.model.source import LoadOptions

    return convert_model(load_model(trained.mnist().model, LoadOptions())).model


@pytest.mark.parametrize(("reduce_range", "limit"), [(True, 64), (False, 127)])
def test_reduce_range_keeps_weights_to_seven_bits(tmp_path: Path, *, reduce_range: bool, limit: int) -> None:
    source = trained.onnx_net()
    model = int8_static(source, onnx.load(source.model), tmp_path, reduce_range=reduce_range)
    weights = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT8]
    assert max(int(np.abs(value.astype(int)).max()) for value in weights if value.ndim > 1) == limit


def test_the_quantizer_says_nothing_leaves_nothing_and_repeats_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = trained.onnx_net()
    capfd.readouterr()
    first, second = (
        int8_static(source, onnx.load(source.model), tmp_path, reduce_range=True).SerializeToString(deterministic=True) for _ in range(2)
    )
    assert first == second
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_outputs_stay_in_float(tmp_path: Path) -> None:
    source = trained.onnx_net()
    model = int8_static(source, onnx.load(source.model), tmp_path, reduce_range=True)
    assert [node.op_type for node in model.graph.node if node.output[0] == "output"] == ["Gemm"]
    assert output_specs(model) == output_specs(onnx.load(source.model))


def test_a_graph_with_nothing_to_quantize_says_so(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Exp", ["x"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, ["n", 2])],
        [onnx.helper.make_tensor_value_info("y", 1, ["n", 2])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    settings = Quantization(activation="uint8", weight="int8", reduce_range=True, per_channel=True, calibration="minmax")
    for precision in ("int8-dynamic", "int8-static"):
        candidate = Candidate(name="q", precision=precision, quantization=settings)
        prepared = prepare(model, tmp_path)
        seen = Calibration(histograms=observe(prepared, [{"x": np.zeros((1, 2), np.float32)}])[0])
        with pytest.raises(QuantizationError, match="nothing in the graph can be quantized"):
            quantize(candidate, prepared, seen, tmp_path)


def test_calibration_rows_are_drawn_by_the_seed_and_those_of_the_other_fold_are_others() -> None:
    first, again, other = (split(1000, seed=seed) for seed in (1, 1, 2))
    assert len(first.calibration) == len(first.cross) == ROWS
    assert np.array_equal(first.calibration, again.calibration)
    assert not np.array_equal(first.calibration, other.calibration)
    assert not set(first.calibration) & set(first.cross)
    assert [len(split(rows, seed=0).calibration) for rows in (1, 2, 5, 300)] == [1, 1, 2, 150]


@pytest.mark.slow
@pytest.mark.long
def test_static_int8_of_the_mnist_example_loses_at_most_three_thousandths_and_is_faster(tmp_path: Path) -> None:
    source, model = trained.mnist(), mnist_model()
    profile = load_profile("x86-64-avx2")
    assert profile.int8.reduce_range
    data = np.load(source.data)
    quantized = int8_static(source, model, tmp_path, reduce_range=True)
    predictions = [read_prediction({"output": logits(form, data["image"])}) for form in (model, quantized)]
    accuracy = assess(METRICS["accuracy"], data["target"], *predictions, budget=0.003, seed=0, rounded=True)
    assert accuracy.loss <= 0.003 + ROUNDING
    assert quantized.ByteSize() < 0.3 * model.ByteSize()
    if detect_machine().arch != "x86_64":
        pytest.skip("the recipe is for x86-64: no speed to measure here")
    sessions = {name: open_session(form, Settings(), where=name) for name, form in (("fp32", model), ("int8", quantized))}
    runs = {name: functools.partial(run_session, session, {"image": data["image"][:1]}) for name, session in sessions.items()}
    samples = latency.measure(runs, seconds=3)
    assert latency.speedup(samples["fp32"], samples["int8"], seed=0).low > 1


@pytest.mark.slow
def test_without_reduce_range_products_saturate_on_x86_without_vnni(tmp_path: Path) -> None:
    machine = detect_machine()
    hidden = bool({"avx512_vnni", "avx_vnni"} & machine.cpu_flags)
    emulator = find_emulator(PROCESSORS[0])
    if machine.arch != "x86_64" or (hidden and emulator is None):
        pytest.skip("this processor sums int8 products in 32 bits (VNNI or Arm), and qemu-x86_64 is not installed to emulate one that doesn't")
    source = trained.onnx_net()
    model, images = onnx.load(source.model), np.load(source.data)["image"][:32]
    reference = logits(model, images)
    errors = {}
    for reduced in (True, False):
        quantized = int8_static(source, model, tmp_path, reduce_range=reduced)
        assert bool(may_saturate(quantized, fused=True)) is not reduced
        answers = run_emulated(emulator, quantized, {"image": images}, {}, tmp_path) if hidden and emulator else None
        output = answers["output"] if answers else logits(quantized, images)
        errors[reduced] = float(np.abs(output - reference).max())
    assert errors[False] > 3 * errors[True]


def test_fp32_is_the_graph_itself(tmp_path: Path) -> None:
    model = onnx.ModelProto()
    assert quantize(FP32, model, Calibration(), tmp_path) is model
