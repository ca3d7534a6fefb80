"""ONNX whose inputs and outputs are unlike most: no rows, rows elsewhere, selections, labels alone, other types, no shapes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift_core.bundle.manifest import BundleManifest
from sealift_packager.build.pipeline import pack
from sealift_packager.build.request import PackRequest
from sealift_packager.errors import ConversionError, DataError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.measure.arrays import write_npz
from sealift_packager.model.source import Array, LoadOptions
from support.graphs import RANDOM, constant, model, value, weights
from support.packing import here


def scaled(folder: Path) -> PackRequest:
    """y = x * k, where k is one number for the whole request."""
    graph = model([helper.make_node("Mul", ["x", "k"], ["y"])], [value("x", ["n", 3]), value("k", [])], [value("y", ["n", 3])], [])
    (folder / "m.onnx").write_bytes(graph.SerializeToString())
    return PackRequest(model=folder / "m.onnx", name="m", version="1.0.0", profiles=(here(),), out=folder / "out", measure_seconds=0.2)


def test_an_input_of_one_number_is_measured_and_kept_as_it_is(tmp_path: Path) -> None:
    packed = pack(scaled(tmp_path))
    manifest = packed.manifests["any-cpu"]
    assert [spec.shape for spec in manifest.inputs] == [("batch", 3), ()]
    assert manifest.evaluation.measurement is not None


def with_state(folder: Path) -> PackRequest:
    """A step of a recurrent net, whose state [1, rows, 2] comes first and goes out again."""
    nodes = [
        helper.make_node("RNN", ["xs", "w", "r", "", "", "h"], ["", "next"], hidden_size=2),
        helper.make_node("Unsqueeze", ["x", "axes"], ["xs"]),
    ]
    inputs, outputs = [value("h", [1, "s7", 2]), value("x", ["s7", 3])], [value("next", [1, "s7", 2])]
    graph = model(nodes[::-1], inputs, outputs, [weights("w", 1, 2, 3), weights("r", 1, 2, 2), constant("axes", [0])])
    (folder / "m.onnx").write_bytes(graph.SerializeToString())
    return PackRequest(model=folder / "m.onnx", name="m", version="1.0.0", profiles=(here(),), out=folder / "out", measure_seconds=0.2)


def test_a_state_whose_rows_are_not_first_has_as_many_as_the_other_inputs(tmp_path: Path) -> None:
    manifest = pack(with_state(tmp_path)).manifests["any-cpu"]
    assert [spec.shape for spec in manifest.inputs] == [(1, "batch", 2), ("batch", 3)]
    assert manifest.evaluation.measurement is not None
    assert manifest.evaluation.measurement.throughput_batch_size == 1


@pytest.mark.parametrize(
    ("made", "name", "found"), [(scaled, "k", "found one value for the whole request"), (with_state, "h", r"found \[1, 'batch', 2\]")]
)
def test_an_input_without_rows_can_not_be_evaluated_and_what_to_do_is_said(
    tmp_path: Path, made: Callable[[Path], PackRequest], name: str, found: str
) -> None:
    write_npz(tmp_path / "d.npz", {"x": np.ones((5, 3), np.float32), name: np.ones(5, np.float32)})
    with pytest.raises(DataError, match=rf"{name}: an input isn't batched.* {found}\. Make it a constant of the model"):
        pack(dataclasses.replace(made(tmp_path), data=tmp_path / "d.npz", metric="cosine"))


def test_a_selection_of_rows_can_not_be_evaluated_and_what_to_do_is_said(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMax", ["x"], ["most"], axes=[1], keepdims=0), helper.make_node("Greater", ["most", "zero"], ["kept"])]
    selects = model(
        [*nodes, helper.make_node("Compress", ["x", "kept"], ["y"], axis=0)], [value("x", ["n", 3])], [value("y", ["k", 3])], [], opset=17
    )
    selects.graph.initializer.append(constant("zero", np.float32(0)))
    (tmp_path / "selects.onnx").write_bytes(selects.SerializeToString())
    np.savez(tmp_path / "d.npz", x=np.array([[1, 0, 0], [-1, -1, -1]], np.float32))
    with pytest.raises(ConversionError, match=r"y: an output isn't batched: expected \[2, …\], found \[1, 3\].*out of the graph"):
        pack(dataclasses.replace(scaled(tmp_path), model=tmp_path / "selects.onnx", data=tmp_path / "d.npz", metric="cosine"))


def packed(folder: Path, graph: onnx.ModelProto, **arrays: Array) -> BundleManifest:
    """The manifest of a graph that was judged by some arrays."""
    (folder / "made.onnx").write_bytes(graph.SerializeToString())
    write_npz(folder / "made.npz", arrays)
    profile = here(precisions=("fp32", "int8-static", "int8-weights"))
    request = dataclasses.replace(scaled(folder), model=folder / "made.onnx", data=folder / "made.npz", profiles=(profile,), max_drop=0.5)
    return pack(request).manifests["any-cpu"]


def test_an_integer_for_each_row_is_a_label(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("ArgMax", ["h"], ["class"], axis=1, keepdims=0)]
    graph = model(nodes, [value("x", ["n", 32])], [value("class", ["n"], TensorProto.INT64)], [weights("w", 32, 32)])
    rows = RANDOM.normal(size=(40, 32)).astype(np.float32)
    accuracy = packed(tmp_path, graph, x=rows, target=np.zeros(40, np.int64)).evaluation.accuracy
    assert accuracy is not None
    assert accuracy.metric == "accuracy"


def test_a_graph_in_float64_has_nothing_to_calibrate(tmp_path: Path) -> None:
    matrix, rows = RANDOM.normal(size=(32, 32)), RANDOM.normal(size=(40, 32))
    doubles = numpy_helper.from_array(matrix, "w")
    element = {"kind": TensorProto.DOUBLE}
    graph = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", ["n", 32], **element)], [value("y", ["n", 32], **element)], [doubles])
    candidates = packed(tmp_path, graph, x=rows, target=(rows @ matrix).argmax(axis=1)).evaluation.candidates
    assert {candidate.name: candidate.chosen for candidate in candidates} == {"fp32": True, "int8-static": False, "int8-weights": False}
    assert "the model computes in another type than float32: found float64" in candidates[1].reason


def test_an_output_without_a_shape_is_given_the_one_that_follows(tmp_path: Path) -> None:
    graph = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", ["n", 32])], [value("y", ["n", 4])], [weights("w", 32, 4)])
    graph.graph.output[0].type.tensor_type.ClearField("shape")
    (tmp_path / "m.onnx").write_bytes(graph.SerializeToString())
    assert [spec.shape for spec in convert_model(load_model(tmp_path / "m.onnx", LoadOptions())).outputs] == [("batch", 4)]


def test_an_input_without_a_shape_is_named(tmp_path: Path) -> None:
    graph = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", ["n", 32])], [value("y", ["n", 4])], [weights("w", 32, 4)])
    graph.graph.input[0].type.tensor_type.ClearField("shape")
    (tmp_path / "m.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(SourceModelError, match=r"m\.onnx: x: an input without a shape: expected its dimensions"):
        load_model(tmp_path / "m.onnx", LoadOptions())
