"""Smoothing, blocks, fp16, and GELU in the order that is fused: what each does to a graph, and that the graph still gives the same answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift_core.hardware.profile import Int8Recipe
from sealift_packager.candidates.candidate import SESSION_ENTRIES
from sealift_packager.candidates.from_profile import SETTINGS
from sealift_packager.errors import NothingToQuantizeError, QuantizationError
from sealift_packager.graph import graph
from sealift_packager.graph.gelu import reorder_gelu
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.source import Array
from sealift_packager.quantize.blocks import quantize_blocks
from sealift_packager.quantize.calibration import Calibration
from sealift_packager.quantize.half import convert_half
from sealift_packager.quantize.onnxruntime_backend import prepare, quantize_dynamic, quantize_static
from sealift_packager.quantize.ranges import observe
from sealift_packager.quantize.registry import QUANTIZERS
from sealift_packager.quantize.sensitivity import node_errors
from sealift_packager.quantize.smoothing import channel_maxima, has_products, smooth
from sealift_packager.quantize.weights import halve_weights
from support.versions import since

NEEDS_BLOCKS = since("onnxruntime", "1.22", "make blocks")
BLOCKS = [pytest.param(name, marks=NEEDS_BLOCKS) for name in ("int8-blocks", "int4-blocks")]

RANDOM = np.random.default_rng(0)
RECIPE = Int8Recipe(activation="uint8", weight="int8", reduce_range=True, per_channel=True)


def matrix(*shape: int) -> Array:
    result: Array = (RANDOM.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
    return result


def model_of(nodes: list[onnx.NodeProto], weights: dict[str, Array], width: int = 256) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    inputs, outputs = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])] for name in ("x", "y"))
    made = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return graph.tidy(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


def product(width: int = 256) -> onnx.ModelProto:
    return model_of([helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], {"w": matrix(width, width)}, width)


def two_products(first: Array, folder: Path) -> onnx.ModelProto:
    """One with ``first``, called w, then one with a matrix called v; prepared."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"], name="first"), helper.make_node("MatMul", ["a", "v"], ["y"], name="second")]
    return prepare(model_of(nodes, {"w": first, "v": matrix(256, 256)}), folder)


def ask(model: onnx.ModelProto, rows: Array, precision: str = "fp32") -> Array:
    session = open_session(model, Settings(entries=SESSION_ENTRIES.get(precision, {})), where="test")
    return run_session(session, {"x": rows})["y"]


def error(model: onnx.ModelProto, other: onnx.ModelProto, rows: Array, precision: str) -> float:
    reference, answer = ask(model, rows), ask(other, rows, precision)
    return float(np.square(answer - reference).sum() / np.square(reference).sum())


def outlying(rows: int = 50) -> Array:
    """Rows of which one channel is a hundred times as large as the others."""
    values = RANDOM.normal(size=(rows, 256)).astype(np.float32)
    values[:, 7] *= 100
    return values


def test_a_smoothed_graph_answers_like_the_one_it_was_made_of() -> None:
    model, rows = product(), outlying()
    smoothed = smooth(model, channel_maxima(model, [{"x": rows}])[0], 0.7)
    assert [node.op_type for node in smoothed.graph.node] == ["Mul", "MatMul"]
    np.testing.assert_allclose(ask(smoothed, rows), ask(model, rows), rtol=1e-4, atol=1e-3)


def test_smoothing_spares_dynamic_int8_what_an_outlying_channel_costs(tmp_path: Path) -> None:
    rows = outlying()
    model = prepare(product(), tmp_path)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(numpy_helper.to_array(model.graph.initializer[0]) * shrinking_factors(7), "w"))
    calibration = Calibration(maxima=channel_maxima(model, [{"x": rows}])[0])
    settings = SETTINGS["int8-dynamic"](RECIPE)
    plain, smoothed = (quantize_dynamic(model, dataclasses.replace(settings, smoothing=strength), calibration, tmp_path) for strength in (0.0, 0.7))
    assert error(model, smoothed, rows, "int8-dynamic") < 0.2 * error(model, plain, rows, "int8-dynamic")


def test_a_matrix_that_two_layers_share_is_turned_once(tmp_path: Path) -> None:
    layers = [helper.make_node("Gemm", [before, "w"], [after], name=after, transB=1) for before, after in (("x", "h"), ("h", "y"))]
    model, rows = prepare(model_of(layers, {"w": matrix(256, 256)}), tmp_path), RANDOM.normal(size=(50, 256)).astype(np.float32)
    small = quantize_dynamic(model, SETTINGS["int8-dynamic"](RECIPE), Calibration(), tmp_path)
    assert error(model, small, rows, "int8-dynamic") < 2e-3
    assert sum(tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 2 for tensor in small.graph.initializer) == 1


def test_a_bias_of_rank_two_is_quantized_as_one_of_rank_one(tmp_path: Path) -> None:
    layer = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="layer")
    model, rows = prepare(model_of([layer], {"w": matrix(256, 256), "b": matrix(1, 256)}), tmp_path), RANDOM.normal(size=(50, 256)).astype(np.float32)
    settings = dataclasses.replace(SETTINGS["int8-static"](RECIPE), calibration="minmax")
    small = quantize_static(model, settings, Calibration(histograms=observe(model, [{"x": rows}])[0]), tmp_path)
    assert error(model, small, rows, "int8-static") < 1e-2


def shrinking_factors(at: int) -> Array:
    factors = np.ones((256, 1), np.float32)
    factors[at] = 0.01
    return factors


def test_a_channel_that_calibration_never_showed_is_not_blown_up(tmp_path: Path) -> None:
    model, seen = prepare(product(), tmp_path), RANDOM.normal(size=(50, 256)).astype(np.float32)
    rows = seen.copy()
    seen[:, 7] = 0
    settings = dataclasses.replace(SETTINGS["int8-dynamic"](RECIPE), smoothing=0.7)
    small = quantize_dynamic(model, settings, Calibration(maxima=channel_maxima(model, [{"x": seen}])[0]), tmp_path)
    assert error(model, small, rows, "int8-dynamic") < 2e-3


def test_products_that_share_an_input_share_its_scales_and_a_weight_used_elsewhere_stays() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="a"),
        helper.make_node("MatMul", ["x", "v"], ["b"], name="b"),
        helper.make_node("MatMul", ["a", "w"], ["c"], name="c"),
        helper.make_node("Add", ["b", "c"], ["y"], name="y"),
    ]
    model, rows = model_of(nodes, {"w": matrix(256, 256), "v": matrix(256, 256)}), outlying()
    smoothed = smooth(model, channel_maxima(model, [{"x": rows}])[0], 0.5)
    assert [node.op_type for node in smoothed.graph.node].count("Mul") == 2
    np.testing.assert_allclose(ask(smoothed, rows), ask(model, rows), rtol=1e-3, atol=1e-2)


def test_a_graph_without_a_matrix_product_has_nothing_to_smooth() -> None:
    assert not has_products(model_of([helper.make_node("Relu", ["x"], ["y"])], {}))
    assert has_products(product())


@NEEDS_BLOCKS
@pytest.mark.parametrize(("precision", "share", "worst"), [("int8-blocks", 0.27, 1e-3), ("int4-blocks", 0.17, 0.02)])
def test_blocks_are_small_and_near(precision: str, share: float, worst: float, tmp_path: Path) -> None:
    model, rows = product(512), RANDOM.normal(size=(20, 512)).astype(np.float32)
    small = quantize_blocks(model, SETTINGS[precision](RECIPE), Calibration(), tmp_path)
    assert small.ByteSize() < share * model.ByteSize()
    assert error(model, small, rows, precision) < worst


@pytest.mark.parametrize("transposed", [0, 1])
@NEEDS_BLOCKS
def test_a_gemm_with_a_bias_becomes_blocks_too(transposed: int, tmp_path: Path) -> None:
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=transposed)
    model, rows = model_of([node], {"w": matrix(256, 256), "b": matrix(256)}), RANDOM.normal(size=(20, 256)).astype(np.float32)
    small = quantize_blocks(model, SETTINGS["int8-blocks"](RECIPE), Calibration(), tmp_path)
    assert [made.op_type for made in small.graph.node] == ["MatMulNBits", "Add"]
    assert error(model, small, rows, "int8-blocks") < 1e-3


def test_a_gemm_that_scales_is_left_alone(tmp_path: Path) -> None:
    model = model_of([helper.make_node("Gemm", ["x", "w"], ["y"], alpha=0.5)], {"w": matrix(256, 256)})
    with pytest.raises(QuantizationError, match="no matrix multiplication with a weight of 65,536 elements or more"):
        quantize_blocks(model, SETTINGS["int8-blocks"](RECIPE), Calibration(), tmp_path)


def test_small_matrices_are_refused_as_blocks(tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match="nothing in the graph can be quantized"):
        quantize_blocks(product(64), SETTINGS["int8-blocks"](RECIPE), Calibration(), tmp_path)


def test_half_precision_takes_and_gives_float32_at_half_the_size(tmp_path: Path) -> None:
    model, rows = product(), RANDOM.normal(size=(20, 256)).astype(np.float32)
    half = convert_half(model, SETTINGS["fp16"](RECIPE), Calibration(), tmp_path)
    assert half.ByteSize() < 0.51 * model.ByteSize()
    assert {tensor.type.tensor_type.elem_type for tensor in (*half.graph.input, *half.graph.output)} == {TensorProto.FLOAT}
    assert error(model, half, rows, "fp16") < 1e-5


def gelu(first: str, second: str) -> onnx.ModelProto:
    """x · (½ · (1 + erf(x / √2))) as torch writes it; ``first`` and ``second`` are the outer product's factors."""
    nodes = [
        helper.make_node("Div", ["x", "root"], ["scaled"]),
        helper.make_node("Erf", ["scaled"], ["erf"]),
        helper.make_node("Add", ["erf", "one"], ["sum"]),
        helper.make_node("Mul", ["half", "sum"], ["share"]),
        helper.make_node("Mul", [first, second], ["y"]),
    ]
    return model_of(nodes, {name: np.array(value, np.float32) for name, value in (("root", 2**0.5), ("one", 1), ("half", 0.5))})


def fused(model: onnx.ModelProto, tmp_path: Path) -> set[str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return {node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node}


@pytest.mark.parametrize("factors", [("x", "share"), ("share", "x")])
def test_gelu_as_torch_writes_it_is_put_into_the_order_that_onnxruntime_fuses(factors: tuple[str, str], tmp_path: Path) -> None:
    model, rows = gelu(*factors), RANDOM.normal(size=(20, 256)).astype(np.float32)
    reordered = reorder_gelu(model)
    assert "Gelu" not in fused(model, tmp_path)
    assert fused(reordered, tmp_path) == {"Gelu"}
    np.testing.assert_allclose(ask(reordered, rows), ask(model, rows), rtol=1e-5, atol=1e-6)


def test_a_product_of_which_a_part_is_used_elsewhere_keeps_its_order() -> None:
    model = gelu("x", "share")
    model.graph.output.append(helper.make_tensor_value_info("share", TensorProto.FLOAT, ["batch", 256]))
    assert reorder_gelu(model) == model


@pytest.mark.parametrize("precision", ["int8-dynamic", "int8-weights", BLOCKS[0]])
def test_a_node_that_is_reverted_keeps_its_weight_as_it_is(precision: str, tmp_path: Path) -> None:
    model = two_products(matrix(256, 256), tmp_path)
    settings = dataclasses.replace(SETTINGS[precision](RECIPE), reverted=("second",))
    built = QUANTIZERS[precision](model, settings, Calibration(), tmp_path)
    sizes = {tensor.name: np.prod(tensor.dims) for tensor in built.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    assert sizes.get("v") == 256 * 256
    assert "w" not in sizes


@pytest.mark.parametrize("precision", ["int8-weights", *BLOCKS])
def test_a_node_that_is_stored_as_fp16_has_its_weight_as_fp16(precision: str, tmp_path: Path) -> None:
    model = two_products(matrix(256, 256), tmp_path)
    settings = dataclasses.replace(SETTINGS[precision](RECIPE), fp16_nodes=("second",))
    built = QUANTIZERS[precision](model, settings, Calibration(), tmp_path)
    assert {tensor.name for tensor in built.graph.initializer if tensor.data_type == TensorProto.FLOAT16} == {"v_fp16"}
    assert not {"v", "w"} & {tensor.name for tensor in built.graph.initializer}


def test_weights_as_fp16_answer_like_fp32_at_half_the_size(tmp_path: Path) -> None:
    model = prepare(product(), tmp_path)
    half = halve_weights(model, SETTINGS["fp16-weights"](RECIPE), Calibration(), tmp_path)
    assert half.ByteSize() < 0.52 * model.ByteSize()
    assert error(model, half, outlying(), "fp16-weights") < 1e-6


def test_a_weight_that_fp16_cannot_hold_stays_as_it_is(tmp_path: Path) -> None:
    large = matrix(256, 256)
    large[0, 0] = 70000
    model = two_products(large, tmp_path)
    half = halve_weights(model, SETTINGS["fp16-weights"](RECIPE), Calibration(), tmp_path)
    assert {tensor.name: tensor.data_type for tensor in half.graph.initializer} == {"w": TensorProto.FLOAT, "v_fp16": TensorProto.FLOAT16}


def test_a_graph_of_small_weights_has_none_to_halve(tmp_path: Path) -> None:
    with pytest.raises(NothingToQuantizeError, match="no float32 weight of 512 elements"):
        halve_weights(product(4), SETTINGS["fp16-weights"](RECIPE), Calibration(), tmp_path)


def test_a_node_whose_weights_alone_are_rounded_loses_by_them_alone() -> None:
    rows = [{"x": outlying()}]
    weights, dynamic = (node_errors(product(), SETTINGS[name](RECIPE), {}, rows)["product"] for name in ("int8-weights", "int8-dynamic"))
    assert 0 < weights < dynamic / 10


@pytest.mark.skipif(not NEEDS_BLOCKS.args[0], reason="this onnxruntime makes blocks")
def test_an_onnxruntime_that_makes_no_blocks_says_which_one_does(tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match=r"quantizing in blocks needs onnxruntime 1\.22 or newer: found onnxruntime 1\."):
        quantize_blocks(product(1024), SETTINGS["int8-blocks"](RECIPE), Calibration(), tmp_path)
