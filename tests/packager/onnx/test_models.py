"""ONNX of every shape that people have packs: branches and loops, several inputs, old and new operator sets, odd orders."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_core.hardware.profile import HardwareProfile
from sealift_packager.build.pipeline import pack
from sealift_packager.build.request import PackRequest
from sealift_packager.errors import ConversionError
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_batched, run_session
from sealift_packager.model.source import LoadOptions
from sealift_packager.parity.check import check_parity
from sealift_packager.profiles.library import load_profile
from sealift_runtime.engine.facts import onnxruntime_version
from support.graphs import FLOAT, RANDOM, constant, model, value, weights


def branches() -> onnx.ModelProto:
    sides = [
        helper.make_graph(
            [helper.make_node("MatMul", ["x", f"w_{name}"], [name])], name, [], [value(name, ["n", 16])], [weights(f"w_{name}", 32, 16)]
        )
        for name in ("left", "right")
    ]
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["h"], then_branch=sides[0], else_branch=sides[1]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    return model(nodes, [value("x", ["n", 32])], [value("y", ["n", 4])], [constant("zero", np.float32(0)), weights("w", 16, 4)])


def loop() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Identity", ["go"], ["go_on"]),
        helper.make_node("MatMul", ["a", "inner"], ["m"]),
        helper.make_node("Tanh", ["m"], ["b"]),
    ]
    body = helper.make_graph(
        nodes,
        "body",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("a", ["n", 32])],
        [value("go_on", [], TensorProto.BOOL), value("b", ["n", 32])],
        [weights("inner", 32, 32)],
    )
    outer = [helper.make_node("Loop", ["trip", "yes", "x"], ["last"], body=body), helper.make_node("MatMul", ["last", "w"], ["y"])]
    initializers = [constant("trip", np.int64(3)), constant("yes", True), weights("w", 32, 4)]
    return model(outer, [value("x", ["n", 32])], [value("y", ["n", 4])], initializers)


def scan() -> onnx.ModelProto:
    """A batch of one, and a free number of steps."""
    nodes = [
        helper.make_node("MatMul", ["step", "inner"], ["p"]),
        helper.make_node("Add", ["p", "h"], ["q"]),
        helper.make_node("Tanh", ["q"], ["next"]),
        helper.make_node("Identity", ["next"], ["out"]),
    ]
    body = helper.make_graph(
        nodes, "body", [value("h", [1, 16]), value("step", [1, 32])], [value("next", [1, 16]), value("out", [1, 16])], [weights("inner", 32, 16)]
    )
    outer = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("Scan", ["start", "steps"], ["y", "all"], body=body, num_scan_inputs=1),
    ]
    return model(outer, [value("x", [1, "t", 32])], [value("y", [1, 16])], [constant("start", np.zeros((1, 16), np.float32))])


def several_inputs() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gather", ["words", "ids"], ["e"]),
        helper.make_node("ReduceMean", ["e", "axis"], ["m"], keepdims=0),
        helper.make_node("Cast", ["flag"], ["f"], to=FLOAT),
        helper.make_node("Cast", ["wide"], ["d"], to=FLOAT),
        helper.make_node("Cast", ["half"], ["s"], to=FLOAT),
        helper.make_node("Concat", ["m", "x", "f", "d", "s"], ["c"], axis=1),
        helper.make_node("MatMul", ["c", "w"], ["y"]),
    ]
    inputs = [
        value("ids", ["n", 5], TensorProto.INT64),
        value("x", ["n", 8]),
        value("flag", ["n", 1], TensorProto.BOOL),
        value("wide", ["n", 2], TensorProto.DOUBLE),
        value("half", ["n", 2], TensorProto.FLOAT16),
    ]
    return model(nodes, inputs, [value("y", ["n", 3])], [weights("words", 10, 16), constant("axis", [1]), weights("w", 29, 3)])


def weights_as_inputs() -> onnx.ModelProto:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Add", ["h", "b"], ["y"])]
    inputs = [value("x", ["n", 32]), value("w", [32, 16]), value("b", [16])]
    return model(nodes, inputs, [value("y", ["n", 16])], [weights("w", 32, 16), weights("b", 16)], opset=11, ir=3)


def plain(opset: int) -> onnx.ModelProto:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["r"]), helper.make_node("Neg", ["r"], ["y"])]
    return model(nodes, [value("x", ["n", 32])], [value("y", ["n", 16])], [weights("w", 32, 16)], opset=opset, ir=8)


def unsorted() -> onnx.ModelProto:
    made = plain(18)
    nodes = list(made.graph.node)[::-1]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del made.graph.node[:]
    made.graph.node.extend(copies)
    return made


def contrib() -> onnx.ModelProto:
    nodes = [
        helper.make_node("FusedMatMul", ["x", "w"], ["h"], domain="com.microsoft", alpha=0.5),
        helper.make_node("Gelu", ["h"], ["y"], domain="com.microsoft"),
    ]
    return model(nodes, [value("x", ["n", 32])], [value("y", ["n", 16])], [weights("w", 32, 16)])


def nested(depth: int = 20) -> onnx.ModelProto:
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["d0"])], "b", [], [value("d0", ["n", 3])])
    for level in range(1, depth):
        flat = helper.make_graph([helper.make_node("Neg", ["x"], [f"e{level}"])], "e", [], [value(f"e{level}", ["n", 3])])
        choice = helper.make_node("If", ["yes"], [f"d{level}"], then_branch=branch, else_branch=flat)
        branch = helper.make_graph([choice], "b", [], [value(f"d{level}", ["n", 3])])
    nodes = [*branch.node, helper.make_node("Neg", [f"d{depth - 1}"], ["y"])]
    return model(nodes, [value("x", ["n", 3])], [value("y", ["n", 3])], [constant("yes", True)])


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "an If with weights in its branches": branches,
    "a Loop with weights in its body": loop,
    "a Scan over a free number of steps": scan,
    "Ifs within Ifs, 20 deep": nested,
    "inputs of five element types": several_inputs,
    "weights that are inputs too": weights_as_inputs,
    "nodes in no order": unsorted,
    "onnxruntime's own operators": contrib,
    "opset 7": lambda: plain(7),
    "opset 23": lambda: plain(23),
}


def rows_for(made: onnx.ModelProto, path: Path) -> Path:
    """40 random rows of each input."""
    initializers = {tensor.name for tensor in made.graph.initializer}
    arrays: dict[str, Any] = {}
    for input_ in made.graph.input:
        if input_.name not in initializers:
            dtype = helper.tensor_dtype_to_np_dtype(input_.type.tensor_type.elem_type)
            shape = [40, *(size.dim_value or 6 for size in list(input_.type.tensor_type.shape.dim)[1:])]
            drawn = RANDOM.normal(size=shape) if dtype.kind == "f" else RANDOM.integers(0, 2 if dtype == np.bool_ else 10, shape)
            arrays[input_.name] = drawn.astype(dtype)
    np.savez(path, **arrays)
    return path


def judged_by_cosine(folder: Path, data: Path, profile: HardwareProfile) -> PackRequest:
    """A build of the folder's ``m.onnx``."""
    return PackRequest(model=folder / "m.onnx", name="m", version="1.0.0", profiles=(profile,), out=folder / "out", data=data, metric="cosine")


@pytest.mark.parametrize("name", MODELS)
def test_it_packs_with_every_candidate_tried(name: str, tmp_path: Path) -> None:
    if name == "opset 23" and onnxruntime_version().startswith("1.20."):
        pytest.skip("onnxruntime 1.20 can't run such a source, so nothing can be compared with it")
    made = MODELS[name]()
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    request = judged_by_cosine(tmp_path, rows_for(made, tmp_path / "rows.npz"), load_profile("arm64-dotprod"))
    manifest = pack(request).manifests["arm64-dotprod"]
    assert 13 <= manifest.model.opset <= 21
    assert {candidate.name for candidate in manifest.evaluation.candidates} >= {"fp32", "int8-dynamic", "int8-static", "int8-weights"}
    broken = [
        candidate.reason
        for candidate in manifest.evaluation.candidates
        if "could not be built" in candidate.reason and "nothing in the graph" not in candidate.reason
    ]
    assert broken == []


def test_weights_that_were_inputs_are_folded_and_take_no_part_in_requests(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(weights_as_inputs().SerializeToString())
    converted = convert_model(load_model(tmp_path / "m.onnx", LoadOptions()))
    assert [input_.name for input_ in converted.model.graph.input] == ["x"]


def test_external_weights_answer_as_those_inside(tmp_path: Path) -> None:
    onnx.save(plain(18), tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0)
    source = load_model(tmp_path / "m.onnx", LoadOptions())
    converted = convert_model(source)
    assert check_parity(source, converted, None, seed=0) >= 5
    rows = {"x": RANDOM.normal(size=(4, 32)).astype(np.float32)}
    answers = run_session(open_session(converted.model, Settings(), where="m"), rows)
    np.testing.assert_allclose(answers["y"], source.predict(rows)["y"], rtol=1e-5)


def test_models_that_differ_in_external_weights_have_different_digests(tmp_path: Path) -> None:
    onnx.save(plain(18), tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0)
    before = load_model(tmp_path / "m.onnx", LoadOptions()).digest
    weights = np.fromfile(tmp_path / "m.bin", np.float32)
    (-weights).tofile(tmp_path / "m.bin")
    assert load_model(tmp_path / "m.onnx", LoadOptions()).digest != before


def fixed_batch(rows: int, free: onnx.ModelProto | None = None) -> onnx.ModelProto:
    """A graph over requests of so many rows, made from one that takes any."""
    result: onnx.ModelProto = onnx.ModelProto.FromString((free or plain(18)).SerializeToString())
    for tensor in (*result.graph.input, *result.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = rows
    return result


@pytest.mark.parametrize("rows", [5, 13, 403])
def test_a_fixed_batch_keeps_its_calibrated_candidates_whatever_the_holdout_has(rows: int, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(fixed_batch(8).SerializeToString())
    np.savez(tmp_path / "holdout.npz", x=RANDOM.normal(size=(rows, 32)).astype(np.float32))
    profile = dataclasses.replace(load_profile("arm64-dotprod"), precisions=("fp32", "int8-static", "int8-dynamic"))
    request = judged_by_cosine(tmp_path, tmp_path / "holdout.npz", profile)
    manifest = pack(request).manifests["arm64-dotprod"]
    assert not [candidate.reason for candidate in manifest.evaluation.candidates if "could not be built" in candidate.reason]


def test_a_fixed_batch_is_filled_up_and_its_answer_cut_off() -> None:
    rows = {"x": RANDOM.normal(size=(13, 32)).astype(np.float32)}
    free = plain(18)
    answer = run_batched(open_session(fixed_batch(8, free), Settings(), where="m"), rows)["y"]
    np.testing.assert_allclose(answer, run_session(open_session(free, Settings(), where="m"), rows)["y"], rtol=1e-5)


def test_a_masking_infinity_is_no_broken_weight_but_nan_in_a_branch_is(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "mask"], ["a"]), helper.make_node("Softmax", ["a"], ["y"])]
    masked = model(nodes, [value("x", ["n", 3])], [value("y", ["n", 3])], [constant("mask", np.array([0, -np.inf, 0], np.float32))])
    (tmp_path / "mask.onnx").write_bytes(masked.SerializeToString())
    convert_model(load_model(tmp_path / "mask.onnx", LoadOptions()))
    broken = branches()
    left = next(attribute.g for attribute in broken.graph.node[2].attribute if attribute.name == "then_branch")
    left.initializer[0].CopyFrom(constant("w_left", np.full((32, 16), np.nan, np.float32)))
    (tmp_path / "nan.onnx").write_bytes(broken.SerializeToString())
    source = load_model(tmp_path / "nan.onnx", LoadOptions())
    with pytest.raises(ConversionError, match=r"w_left: a weight is NaN or infinite.*512 of 512"):
        convert_model(source)


def test_an_output_that_is_one_number_for_all_rows_is_refused_by_name() -> None:
    made = model([helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0)], [value("x", ["n", 3])], [value("sum", [])], [])
    with pytest.raises(ConversionError, match=r"sum: an output isn't batched.*Leave that output out"):
        run_batched(open_session(made, Settings(), where="m"), {"x": np.ones((2, 3), np.float32)})
