"""A bundle requires an onnxruntime that has a kernel for each of its nodes."""

from __future__ import annotations

from typing import Any

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

from sealift_packager.graph.onnxruntime_kernels import _ANY, _SINCE, _TYPED_INPUT, NEWEST_OPSET, required_onnxruntime

MINOR = int(onnxruntime.__version__.split(".")[1])


def model(operator: str, element: int, inputs: int = 1, domain: str = "", cast: bool = False) -> onnx.ModelProto:
    """One node, whose type a cast before it may hide from whoever looks at the graph's inputs alone."""
    names = [f"x{at}" for at in range(inputs)]
    casts = [helper.make_node("Cast", [name], [f"{name}_cast"], to=element) for name in names] if cast else []
    nodes = [*casts, helper.make_node(operator, [f"{name}_cast" if cast else name for name in names], ["y"], domain=domain)]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT if cast else element, ["n"]) for name in names]
    graph = helper.make_graph(nodes, "g", given, [helper.make_tensor_value_info("y", element, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)])


@pytest.mark.parametrize("cast", [False, True])
@pytest.mark.parametrize(
    ("operator", "element", "inputs", "required"),
    [
        ("Cos", TensorProto.FLOAT, 1, ""),
        ("Cos", TensorProto.DOUBLE, 1, ">=1.29"),
        ("Add", TensorProto.FLOAT, 2, ""),
        ("Add", TensorProto.UINT8, 2, ">=1.21"),
        ("Max", TensorProto.INT8, 2, ">=1.24"),
        ("Relu", TensorProto.FLOAT, 1, ""),
    ],
)
def test_a_graph_requires_the_onnxruntime_that_has_its_kernels(operator: str, element: int, inputs: int, required: str, cast: bool) -> None:
    assert required_onnxruntime(model(operator, element, inputs, cast=cast)) == required


def test_a_node_in_a_branch_counts() -> None:
    def branch(name: str) -> onnx.GraphProto:
        node = helper.make_node("Cos", ["x"], [name])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None)])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("a"), else_branch=branch("b"))
    inputs = [helper.make_tensor_value_info("c", TensorProto.BOOL, []), helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n"])]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)])
    assert required_onnxruntime(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])) == ">=1.29"


def test_an_operator_that_is_new_as_a_whole_counts_whatever_its_types() -> None:
    assert required_onnxruntime(model("GatedAdd", TensorProto.FLOAT, 2, domain="com.microsoft")) == ">=1.30"


def kernels() -> set[tuple[str, str, str]]:
    """Domain, operator and element type of every kernel of the processor that the installed onnxruntime has; the types of its first constraint."""
    result = set()
    for kernel in state.get_all_opkernel_def():
        if kernel.provider != "CPUExecutionProvider" or (not kernel.domain and kernel.version_range[0] > NEWEST_OPSET):
            continue
        types = kernel.type_constraints
        first: Any = next((types[name] for name in ("T", "T1") if name in types), next(iter(types.values()), []))
        result |= {(kernel.domain, kernel.op_name, element_type.removeprefix("tensor(").removesuffix(")")) for element_type in first}
        result.add((kernel.domain, kernel.op_name, _ANY))
    return result


def test_the_table_is_what_the_installed_onnxruntime_says_of_itself() -> None:
    installed = kernels()
    table = {(domain, operator, element): minor for (domain, operator), minors in _SINCE.items() for element, minor in minors.items()}
    assert {kernel: minor for kernel, minor in table.items() if (kernel in installed) != (minor <= MINOR)} == {}
    assert set(_TYPED_INPUT) <= {operator for _, operator in _SINCE}
    assert onnx.defs.onnx_opset_version() >= NEWEST_OPSET
