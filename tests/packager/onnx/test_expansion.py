"""Functions of a graph: what they become is counted before anything writes them out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from sealift_packager.errors import SourceModelError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.source import LoadOptions
from sealift_packager.onnx.expansion import MAX_DEPTH, check_expansion

DOMAIN = "own"
OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]


def function(name: str, *called: str) -> onnx.FunctionProto:
    """One that calls the others one after the other; Relu where it calls none."""
    names = ["a", *(f"t{at}" for at in range(len(called) - 1)), "b"] if called else ["a", "b"]
    steps = [helper.make_node(callee, [names[at]], [names[at + 1]], domain=DOMAIN) for at, callee in enumerate(called)]
    return helper.make_function(DOMAIN, name, ["a"], ["b"], steps or [helper.make_node("Relu", ["a"], ["b"])], OPSETS)


def model_of(functions: Sequence[onnx.FunctionProto], node: onnx.NodeProto) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    return helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:]), functions=functions, opset_imports=OPSETS, ir_version=9)


def call(name: str, output: str = "y") -> onnx.NodeProto:
    return helper.make_node(name, ["x"], [output], domain=DOMAIN)


def doubling(levels: int) -> list[onnx.FunctionProto]:
    return [function("f0"), *(function(f"f{at}", f"f{at - 1}", f"f{at - 1}") for at in range(1, levels + 1))]


def test_functions_that_double_a_graph_again_and_again_are_refused_at_once(tmp_path: Path) -> None:
    onnx.save(model_of(doubling(26), call("f26")), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_size < 3000
    started = time.monotonic()
    with pytest.raises(SourceModelError, match=r"m\.onnx: functions that become too many nodes: expected at most 1,000,000, found 67,108,863"):
        load_model(tmp_path / "m.onnx", LoadOptions())
    assert time.monotonic() - started < 10


def test_numbers_of_nodes_that_nobody_can_write_down_are_refused_in_a_short_line() -> None:
    functions = [function("f0"), *(function(f"f{at}", *[f"f{at - 1}"] * 50) for at in range(1, 150))]
    with pytest.raises(SourceModelError, match="found more than 1,000,000,000,000,000"):
        check_expansion(model_of(functions, call("f149")), where="m.onnx")


def test_calls_in_branches_count_too() -> None:
    branch = helper.make_graph([call("f20", "z")], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)])
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    with pytest.raises(SourceModelError, match="too many nodes"):
        check_expansion(model_of(doubling(20), node), where="m.onnx")


@pytest.mark.parametrize("functions", [[function("f", "f")], [function("f", "g"), function("g", "f")]], ids=["itself", "by another one"])
def test_functions_that_call_themselves_are_refused(functions: list[onnx.FunctionProto]) -> None:
    with pytest.raises(SourceModelError, match="functions that call themselves.*found f"):
        check_expansion(model_of(functions, call("f")), where="m.onnx")


def test_functions_in_functions_have_a_depth() -> None:
    chain = [function("f0"), *(function(f"f{at}", f"f{at - 1}") for at in range(1, MAX_DEPTH + 1))]
    check_expansion(model_of(chain[:-1], call(f"f{MAX_DEPTH - 1}")), where="m.onnx")
    with pytest.raises(SourceModelError, match=f"m.onnx: f{MAX_DEPTH}: functions too deep in each other: expected at most {MAX_DEPTH} levels"):
        check_expansion(model_of(chain, call(f"f{MAX_DEPTH}")), where="m.onnx")


def test_a_model_with_some_functions_is_read(tmp_path: Path) -> None:
    onnx.save(model_of(doubling(3), call("f3")), tmp_path / "m.onnx")
    assert load_model(tmp_path / "m.onnx", LoadOptions()).outputs == ("y",)
