"""A graph's tensors are held against its manifest's when a bundle is loaded, and an answer's shapes when it is given."""

from __future__ import annotations

import types
from typing import Any

import pytest

from sealift_core.bundle.shapes import SHOWN_COLUMNS, check_answer, check_tensors, name_columns
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import EngineError

SPECS = (TensorSpec(name="x", dtype="float32", shape=("batch", 3)), TensorSpec(name="n", dtype="int64", shape=("batch",)))


def node(name: str, element_type: str, shape: list[int | str | None] | None) -> Any:
    return types.SimpleNamespace(name=name, type=f"tensor({element_type})", shape=shape)


N = node("n", "int64", ["batch"])


@pytest.mark.parametrize("shape", [["batch", 3], [None, 3], ["other", "free"], [7, 3], [], None])
def test_a_graph_may_leave_open_what_its_manifest_says(shape: list[int | str | None] | None) -> None:
    check_tensors(SPECS, [node("x", "float", shape), N], "input")
    check_tensors(SPECS, [N, node("x", "float", shape)], "input")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (node("x", "float", ["batch", 4]), r"tensor\(float\) \['batch', 4\]"),
        (node("x", "float", ["batch"]), r"tensor\(float\) \['batch'\]"),
        (node("x", "float", ["batch", 3, 1]), r"tensor\(float\) \['batch', 3, 1\]"),
        (node("x", "double", ["batch", 3]), r"tensor\(double\) \['batch', 3\]"),
    ],
)
def test_another_size_rank_or_type_is_refused_with_the_tensor_s_name(given: Any, found: str) -> None:
    expected = r"expected float32 \['batch', 3\]"
    with pytest.raises(EngineError, match=rf"^input: x: the graph and the manifest disagree: {expected}, found {found}"):
        check_tensors(SPECS, [given, N], "input")


def test_other_names_are_refused_with_those_that_the_manifest_has() -> None:
    for nodes, found in (
        ([N], "n"),
        ([node("y", "float", ["batch", 3]), N], "y, n"),
        ([node("x", "float", []), N, node("z", "float", [])], "x, n, z"),
    ):
        with pytest.raises(EngineError, match=rf"^output: the graph and the manifest disagree: expected x, n, found {found}$"):
            check_tensors(SPECS, nodes, "output")


def test_types_are_compared_by_onnxruntime_s_names() -> None:
    for element_type, dtype in (("float", "float32"), ("double", "float64"), ("float16", "float16"), ("string", "string"), ("bool", "bool")):
        check_tensors([TensorSpec(name="x", dtype=dtype, shape=(1,))], [node("x", element_type, [1])], "input")


def test_an_answer_has_the_sizes_of_its_request() -> None:
    check_answer(SPECS, {"x": (2, 3), "n": (2,)}, {"batch": (2, "x")})
    check_answer(SPECS, {"x": (2, 3), "n": (9,)}, {})  # a symbol that no input has
    for shapes, output in (
        ({"x": (1, 3), "n": (2,)}, "x"),
        ({"x": (2, 4), "n": (2,)}, "x"),
        ({"x": (2, 3, 1), "n": (2,)}, "x"),
        ({"x": (2, 3), "n": (3,)}, "n"),
    ):
        with pytest.raises(EngineError, match=rf"^output '{output}': an output has another shape than the manifest says: expected \[2") as caught:
            check_answer(SPECS, shapes, {"batch": (2, "x")})
        assert str(caught.value.found) == str(list(shapes[output]))


def test_so_many_columns_are_named_in_full_and_of_more_how_many_there_are() -> None:
    for count, ending in ((SHOWN_COLUMNS, f"c{SHOWN_COLUMNS - 1}."), (SHOWN_COLUMNS + 1, f"c{SHOWN_COLUMNS - 1}, … ({SHOWN_COLUMNS + 1} in all).")):
        columns = tuple(f"c{number}" for number in range(count))
        words = name_columns(TensorSpec(name="x", dtype="float32", shape=("batch", count), columns=columns))
        assert words is not None
        assert words.startswith("A row has one value for each of these columns, in this order: c0, c1, ")
        assert words.endswith(ending)
    assert name_columns(SPECS[0]) is None
