"""Outputs have the shapes that a graph gives, whatever its exporter declared."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealift_packager.build.pipeline import pack
from sealift_packager.build.request import PackRequest
from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph import graph
from sealift_packager.graph.result import Converted
from sealift_packager.model.source import LoadOptions
from support import packing

Shape = list[int | str]


def converted(nodes: list[onnx.NodeProto], given: Shape, declared: Shape, folder: Path, *weights: onnx.TensorProto) -> Converted:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, declared)]
    made = helper.make_graph(nodes, "model", inputs, outputs, list(weights))
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "m.onnx")
    return convert_model(load_model(folder / "m.onnx", LoadOptions()))


TWICE = helper.make_node("Concat", ["x", "x"], ["y"], axis=1)
FLAT = helper.make_node("Reshape", ["x", "flat"], ["y"])
LINE = numpy_helper.from_array(np.array([-1]), "flat")
PAIRS = numpy_helper.from_array(np.array([-1, 2]), "flat")


@pytest.mark.parametrize(
    ("node", "weights", "given", "declared", "answered"),
    [
        (TWICE, (), ["batch", 3], ["batch", 3], ("batch", 6)),
        (TWICE, (), ["batch", 3], ["batch", 6], ("batch", 6)),
        (TWICE, (), ["batch", "length"], ["batch", "length"], ("batch", "y_1")),
        (FLAT, (LINE,), ["batch", 3], ["batch", 3], ("y_0",)),
        (FLAT, (LINE,), ["batch", 1], ["batch", 1], ("batch",)),
        (FLAT, (PAIRS,), [2, 4], [2, 4], (4, 2)),
        (helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0]), (), ["batch", "length"], ["batch", "length"], ("x_1", "batch")),
    ],
)
def test_what_a_graph_gives_counts(
    node: onnx.NodeProto, weights: tuple[onnx.TensorProto, ...], given: Shape, declared: Shape, answered: tuple[int | str, ...], tmp_path: Path
) -> None:
    result = converted([node], given, declared, tmp_path, *weights)
    assert result.outputs[0].shape == answered
    assert graph.output_specs(result.model) == result.outputs


def test_a_graph_that_refuses_made_up_requests_is_taken_at_its_word(tmp_path: Path) -> None:
    rows = numpy_helper.from_array(np.array([7, 7]), "flat")
    assert converted([FLAT], ["batch", 3], [7, 7], tmp_path, rows).outputs[0].shape == (7, 7)


def test_an_output_whose_number_of_dimensions_depends_on_the_request_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], start=0, end=1),
        helper.make_node("Sub", ["shape", "one"], ["ones"]),
        helper.make_node("Expand", ["unit", "ones"], ["sizes"]),
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Expand", ["mean", "sizes"], ["y"]),
    ]
    weights = [numpy_helper.from_array(np.array([1]), name) for name in ("one", "unit")]
    with pytest.raises(ConversionError, match=r"y: an output has another number of dimensions for another request: found \[1\] and \[1, 1\]"):
        converted(nodes, ["batch", 3], ["batch", 3], tmp_path, *weights)


def test_a_finished_bundle_that_a_device_would_refuse_is_not_sealed(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((3, 50_000), np.float32), "w")
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])]
    made = helper.make_graph([product], "model", inputs, outputs, [weights])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin")
    profile = dataclasses.replace(packing.elsewhere(), precisions=("fp32",))
    request = PackRequest(model=tmp_path / "m.onnx", name="m", version="1.0.0", profiles=(profile,), out=tmp_path / "out", signer=packing.KEY)
    with pytest.raises(ConversionError, match="a device would refuse this bundle|declares"):
        pack(request, inline_bytes=1000)  # a graph with its weights in files is taken at its word when it is converted
    assert not (tmp_path / "out").exists()
    assert pack(request).manifests["elsewhere"].outputs[0].shape == ("batch", 50_000)
