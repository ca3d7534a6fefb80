"""Models that answer some requests only: which sizes and values those are is found by asking, or said with --shape and --example."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_packager.errors import DataError, ParityError, SourceModelError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.result import Converted
from sealift_packager.model.accepted import Accepted, parse_shapes
from sealift_packager.model.batch import fixed_batch
from sealift_packager.model.source import Arrays, LoadOptions, SourceModel
from sealift_packager.parity.check import Parity, prove_parity
from support.graphs import constant, model, value, weights


def gathered(name: str, at: int, source: str = "x") -> list[onnx.NodeProto]:
    """The value at one place of each row: there is none in a shorter row."""
    return [helper.make_node("Gather", [source, f"at_{at}"], [name], axis=1)]


def in_blocks(*, image: bool = False) -> onnx.ModelProto:
    """Rows whose length is a multiple of 32."""
    sizes = ["n", 3, "h", "w"] if image else ["n", "length"]
    shape = np.array([0, 3, 0, -1, 32] if image else [0, -1, 32])
    axes = [2, 3, 4] if image else [1]
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["blocks"]), helper.make_node("ReduceMean", ["blocks"], ["y"], axes=axes, keepdims=0)]
    return model(nodes, [value("x", sizes)], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [constant("shape", shape)], opset=13)


def long_rows(least: int = 512) -> onnx.ModelProto:
    return model(gathered("y", least - 1), [value("x", ["n", "samples"])], [value("y", ["n"])], [constant(f"at_{least - 1}", np.int64(least - 1))])


def by_rate() -> onnx.ModelProto:
    """As voice activity detectors are: a sampling rate selects the branch, a state is [2, rows, width], and no dimension has a name."""
    sides = [helper.make_graph(gathered(f"y_{at}", at), f"branch_{at}", [], [value(f"y_{at}", ["n"])]) for at in (511, 255)]
    nodes = [
        helper.make_node("Equal", ["sr", "rate"], ["is_rate"]),
        helper.make_node("If", ["is_rate"], ["sample"], then_branch=sides[0], else_branch=sides[1]),
        helper.make_node("ReduceSum", ["state", "axes"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sample", "sum"], ["added"]),
        helper.make_node("Shape", ["x"], ["shape"], start=0, end=1),
        helper.make_node("Reshape", ["added", "shape"], ["y"]),
        helper.make_node("Identity", ["state"], ["next_state"]),
    ]
    inputs = [value("x", [None, None]), value("state", [2, None, 4]), value("sr", [], TensorProto.INT64)]
    constants = [
        constant("rate", np.int64(16000)),
        constant("at_511", np.int64(511)),
        constant("at_255", np.int64(255)),
        constant("axes", np.array([0, 2])),
    ]
    return model(nodes, inputs, [value("y", [None]), value("next_state", [None, None, None])], constants)


def one_row() -> onnx.ModelProto:
    """A recurrent network whose first state was exported for one row."""
    nodes = [
        helper.make_node("GRU", ["steps", "W", "R", "", "", "h0"], ["", "last"], hidden_size=4),
        helper.make_node("Squeeze", ["last", "axis"], ["y"]),
    ]
    nodes.insert(0, helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]))
    inputs = [value("h0", [1, 1, 4]), value("x", ["n", "frames", 6])]
    initializers = [weights("W0", 12, 6), weights("R0", 12, 4), constant("axis", np.array([0])), constant("first", np.array([0]))]
    nodes = [helper.make_node("Unsqueeze", [f"{name}0", "first"], [name]) for name in ("W", "R")] + nodes
    return model(nodes, inputs, [value("y", ["n", 4])], initializers)


def loaded(graph: onnx.ModelProto, folder: Path, *shapes: str, requests: tuple[Arrays, ...] = ()) -> SourceModel:
    path = folder / "model.onnx"
    path.write_bytes(graph.SerializeToString())
    return load_model(path, LoadOptions(shapes=parse_shapes(shapes), requests=requests))


def proven(source: SourceModel) -> tuple[Converted, Parity]:
    converted = convert_model(source)
    return converted, prove_parity(source, converted, None, seed=0)


@pytest.mark.parametrize("graph", [in_blocks(), in_blocks(image=True), long_rows(), long_rows(9000), by_rate(), one_row()])
def test_sizes_that_a_model_takes_are_found_and_compared(graph: onnx.ModelProto, tmp_path: Path) -> None:
    source = loaded(graph, tmp_path)
    assert source.accepted.tried == ""
    _, parity = proven(source)
    assert parity.compared >= 4
    assert not parity.refused


def test_a_model_that_takes_any_size_is_asked_for_no_other(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0)]
    source = loaded(model(nodes, [value("x", ["n", "length"])], [value("y", ["n"])], [], opset=13), tmp_path)
    assert (dict(source.accepted.sizes), dict(source.accepted.values), source.accepted.tried) == ({}, {}, "")


def test_neighbours_of_a_size_that_works_are_compared_too(tmp_path: Path) -> None:
    assert loaded(in_blocks(), tmp_path).accepted.sizes["x_1"] == (32, 64, 96)


def test_every_branch_that_a_single_number_selects_is_compared(tmp_path: Path) -> None:
    source = loaded(by_rate(), tmp_path)
    assert set(source.accepted.values["sr"]) >= {16000.0, 8000.0}
    assert str(source.accepted).endswith(". Other sizes and values were not tried.")


def test_what_was_compared_is_said_in_words() -> None:
    assert str(Accepted(sizes={"x_1": (8, 16, 24)})) == "The model was compared with x_1 of 8, 16 and 24. Other sizes were not tried."
    both = Accepted(sizes={"x_1": (8, 16)}, values={"sr": (8000.0,)})
    assert str(both) == "The model was compared with x_1 of 8 and 16, sr of 8000. Other sizes and values were not tried."


def test_a_state_s_nameless_dimension_is_the_batch(tmp_path: Path) -> None:
    source = loaded(by_rate(), tmp_path)
    assert {spec.name: spec.shape for spec in source.inputs} == {"x": ("batch", "x_1"), "state": (2, "batch", 4), "sr": ()}
    converted, _ = proven(source)
    assert converted.outputs[1].shape[::2] == (2, 4)
    assert isinstance(converted.outputs[1].shape[1], str)


def test_a_model_that_takes_one_row_says_so_in_its_shapes(tmp_path: Path) -> None:
    converted, _ = proven(loaded(one_row(), tmp_path))
    assert {spec.name: spec.shape for spec in converted.inputs} == {"h0": (1, 1, 4), "x": (1, "x_1", 6)}
    assert converted.outputs[0].shape == (1, 4)
    assert fixed_batch(converted.inputs) == 1


def test_the_batch_of_inputs_with_a_state_is_the_size_that_all_have(tmp_path: Path) -> None:
    spec = loaded(one_row(), tmp_path).inputs[0]
    state, rows = dataclasses.replace(spec, name="h", shape=(4, 1, 64)), dataclasses.replace(spec, name="x", shape=(1, 3, "t", 160))
    assert (fixed_batch([state, rows]), fixed_batch([rows, state])) == (1, 1)


@pytest.mark.parametrize("name", ["?", "-1", ""])
def test_a_text_that_is_no_name_says_nothing_of_a_size(name: str, tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    source = loaded(
        model(
            nodes,
            [value("x", [name or None, 3, name or None, name or None])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [],
            opset=13,
        ),
        tmp_path,
    )
    assert source.inputs[0].shape == ("batch", 3, "x_2", "x_3")
    proven(source)


def test_a_size_below_zero_is_a_free_one(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2], keepdims=0)]
    source = loaded(model(nodes, [value("x", [-1, 3, -1])], [value("y", [-1, 3])], [], opset=13), tmp_path)
    assert source.inputs[0].shape == ("batch", 3, "x_2")
    assert proven(source)[0].outputs[0].shape == ("batch", 3)


def test_one_symbol_for_two_things_is_taken_apart(tmp_path: Path) -> None:
    source = loaded(model(gathered("y", 5), [value("x", ["n", "n"])], [value("y", ["n"])], [constant("at_5", np.int64(5))]), tmp_path)
    assert source.inputs[0].shape == ("batch", "x_1")
    proven(source)


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [("x:1=*64", (64, 128, 192)), ("x:1=96", (96,)), ("x:1=96,640", (96, 640)), ("x:1=64..320*32", (64, 192, 320)), ("x:1=32..33", (32, 33))],
)
def test_sizes_that_are_given_are_compared(shape: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    assert loaded(in_blocks(), tmp_path, shape).accepted.sizes == {"x_1": sizes}


def test_a_value_that_is_given_is_the_only_one(tmp_path: Path) -> None:
    source = loaded(by_rate(), tmp_path, "sr=16000", "x:1=576")
    assert (source.accepted.values, source.accepted.sizes) == ({"sr": (16000.0,)}, {"x_1": (576,)})
    proven(source)


def test_a_batch_that_is_given_is_fixed(tmp_path: Path) -> None:
    converted, _ = proven(loaded(in_blocks(), tmp_path, "x:0=1"))
    assert converted.inputs[0].shape == (1, "x_1")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("x", "not a shape"),
        ("x:1=", "not a shape"),
        ("x:1=a", "not a shape"),
        ("x:1=*0", "not a shape"),
        ("x:1=5..1", "an empty range"),
        ("x:1=0", "not a size"),
        ("x:1=1.5", "not a size"),
        ("x:7=5", "no such axis"),
        ("y:1=5", "no such input: expected one of x"),
        ("z=5", "no such input"),
        ("x:0=1,2", "several batch sizes"),
    ],
)
def test_a_shape_that_says_nothing_is_refused(shape: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match=message):
        loaded(in_blocks(), tmp_path, shape)


def test_a_dimension_that_the_model_fixes_has_no_other_size(tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match="the model fixes this dimension: expected 3, found 4"):
        loaded(in_blocks(image=True), tmp_path, "x:1=4")


def test_a_colon_in_an_input_s_name_is_no_axis(tmp_path: Path) -> None:
    graph = model(gathered("y", 511, "in:0"), [value("in:0", ["n", "samples"])], [value("y", ["n"])], [constant("at_511", np.int64(511))])
    assert loaded(graph, tmp_path, "in:0:1=600").accepted.sizes == {"in:0_1": (600,)}


def test_an_example_gives_sizes_states_and_single_numbers(tmp_path: Path) -> None:
    request = {"x": np.ones((3, 700), np.float64), "state": np.ones((2, 3, 4)), "sr": np.array(16000)}
    source = loaded(by_rate(), tmp_path, requests=(request,))
    assert (source.accepted.sizes, source.accepted.values) == ({"x_1": (700,)}, {"sr": (16000.0,)})
    assert source.inputs[1].shape == (2, "batch", 4)
    assert proven(source)[1].compared >= 4


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"x": np.ones((2, 31), np.float32)}, "doesn't answer this request"),
        ({"x": np.ones((2, 32, 1), np.float32)}, "wrong shape"),
        ({"z": np.ones((2, 32), np.float32)}, "not those of the model's inputs: expected x, found z"),
        ({"x": np.array([["a", "b"]], object)}, "wrong type"),
    ],
)
def test_an_example_that_the_model_does_not_answer_is_refused(request_: Arrays, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        loaded(in_blocks(), tmp_path, requests=(request_,))


def test_what_was_tried_in_vain_is_named_with_the_option(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    source = loaded(
        model(
            nodes,
            [value("x", ["n", "length"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [constant("shape", np.array([-1, 7919]))],
        ),
        tmp_path,
    )
    with pytest.raises(ParityError, match=r"searched for in vain \(.* 8, 16, 32.* for x_1\).*--shape x:1=SIZE, or .*--example"):
        proven(source)
    proven(
        loaded(
            model(
                nodes,
                [value("x", ["n", "length"])],
                [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                [constant("shape", np.array([-1, 7919]))],
            ),
            tmp_path,
            "x:1=7919",
        )
    )
