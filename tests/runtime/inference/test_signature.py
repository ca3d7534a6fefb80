"""What a model takes and gives: arrays of a program are checked as requests of clients are."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.shapes import MAX_DIMENSION, SHOWN_COLUMNS, Symbols, check_shape, name_columns, show, show_shape
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import RequestError
from sealift_runtime.inference.messages import InferRequest
from sealift_runtime.inference.signature import Signature

LEFT = TensorSpec(name="left", dtype="float32", shape=("batch", 2))
RIGHT = TensorSpec(name="right", dtype="int64", shape=("batch", "time"))
WORDS = TensorSpec(name="words", dtype="string", shape=(2,))
OUTPUTS = [TensorSpec(name=name, dtype="float32", shape=("batch",)) for name in ("y", "z")]
SIGNATURE = Signature("m", "1.0.0", [LEFT, RIGHT], OUTPUTS)


def request(outputs: tuple[str, ...] | None = None, **inputs: Any) -> InferRequest:
    return InferRequest("m", "1.0.0", inputs, outputs)


def good(**changes: Any) -> dict[str, Any]:
    return {"left": np.zeros((3, 2), dtype=np.float32), "right": np.zeros((3, 5), dtype=np.int64), **changes}


def test_a_signature_has_its_tensors_by_name() -> None:
    made = Signature("m", "1.0.0", [LEFT, RIGHT], OUTPUTS)
    assert (made.name, made.version, list(made.inputs), list(made.outputs)) == ("m", "1.0.0", ["left", "right"], ["y", "z"])
    assert made.input("right") is RIGHT


def test_arrays_that_fit_are_taken() -> None:
    SIGNATURE.check(request(**good()))
    SIGNATURE.check(request(("z", "y"), **good()))
    SIGNATURE.check(request((), **good()))


@pytest.mark.parametrize(("name", "said"), [
    ("lefd", r"found 'lefd'\. Did you mean 'left'\?"), ("nothing-like-it", "found 'nothing-like-it'$"), (None, "found None$"), (3, "found 3$"),
    ([], r"found \[\]$"),
])  # fmt: skip
def test_an_input_that_the_model_has_not_is_named_with_the_nearest_one(name: object, said: str) -> None:
    with pytest.raises(RequestError, match=rf"^inputs: the model has no such input: expected one of left, right, {said}"):
        SIGNATURE.input(name)


def test_an_input_of_another_name_is_refused() -> None:
    with pytest.raises(RequestError, match="^inputs: the model has no such input"):
        SIGNATURE.check(request(**good(other=np.zeros(1))))


def test_the_first_input_that_is_missing_is_named() -> None:
    SIGNATURE.check_complete({"left", "right"})
    with pytest.raises(RequestError, match=r"^input 'right': missing: expected INT64 \[batch, time\], found inputs left$"):
        SIGNATURE.check_complete(["left"])
    with pytest.raises(RequestError, match=r"^input 'left': missing: expected FP32 \[batch, 2\], found inputs right$"):
        SIGNATURE.check_complete(["right"])
    with pytest.raises(RequestError, match=r"^input 'left': missing: .*found inputs \(none\)$"):
        SIGNATURE.check_complete([])
    inputs = good()
    del inputs["right"]
    with pytest.raises(RequestError, match="^input 'right': missing"):
        SIGNATURE.check(request(**inputs))


@pytest.mark.parametrize(("changes", "message"), [
    ({"left": [[1.0, 2.0]]}, "input 'left': not an array: expected a numpy array of float32, found list"),
    ({"left": np.zeros((3, 2))}, "input 'left': wrong dtype: expected float32, found float64"),
    ({"left": np.zeros((3, 3), dtype=np.float32)}, r"input 'left': wrong shape: expected \[batch, 2\], found \[3, 3\]"),
    ({"left": np.zeros(2, dtype=np.float32)}, r"input 'left': wrong shape: expected \[batch, 2\], found \[2\]"),
    ({"right": np.zeros((4, 5), dtype=np.int64)}, "input 'right': sizes disagree: expected 'batch' to be 3 as in input 'left', found 4"),
    ({"right": np.zeros((3, 0), dtype=np.int64)}, "input 'right': a dimension is out of range: expected 1 to 2147483647 for 'time', found 0"),
])  # fmt: skip
def test_an_array_that_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=f"^{message}$"):
        SIGNATURE.check(request(**good(**changes)))


@pytest.mark.parametrize("shape", [(1, 3), (2,), (1, 2, 1)])
def test_a_row_of_another_width_is_answered_with_the_columns_in_their_order(shape: tuple[int, ...]) -> None:
    signature = Signature("m", "1.0.0", [dataclasses.replace(LEFT, columns=("age", "income, net"))], OUTPUTS)
    with pytest.raises(RequestError) as caught:
        signature.check(request(left=np.zeros(shape, dtype=np.float32)))
    assert caught.value.advice == "A row has one value for each of these columns, in this order: age, income, net."


def test_of_many_columns_the_first_are_named() -> None:
    columns = ["x" * 1000, *(f"c{number}" for number in range(SHOWN_COLUMNS))]
    said = name_columns(TensorSpec(name="x", dtype="float32", shape=("batch", len(columns)), columns=tuple(columns)))
    assert said is not None
    assert said.endswith(f" c{SHOWN_COLUMNS - 2}, … ({SHOWN_COLUMNS + 1} in all).")
    assert len(said) < 1000
    assert name_columns(TensorSpec(name="x", dtype="float32", shape=("batch", 2))) is None


def test_an_array_of_texts_holds_texts_and_nothing_else() -> None:
    signature = Signature("m", "1.0.0", [WORDS], OUTPUTS)
    signature.check(request(words=np.array(["a", ""], dtype=object)))
    for item, found in ((None, "NoneType"), (3, "int"), (b"a", "bytes")):
        with pytest.raises(RequestError, match=f"^input 'words': wrong type of values: expected str, found {found}$"):
            signature.check(request(words=np.array(["a", item], dtype=object)))


@pytest.mark.parametrize(("outputs", "message"), [
    (("x",), "the model has no such output: expected one of y, z, found 'x'"), (("y", "z", "y"), "the output is requested twice: .*found 'y'"),
])  # fmt: skip
def test_outputs_are_those_of_the_model_each_once(outputs: tuple[str, ...], message: str) -> None:
    with pytest.raises(RequestError, match=f"^outputs: {message}$"):
        SIGNATURE.check(request(outputs, **good()))


def test_an_output_that_is_known_is_given_back_by_its_name() -> None:
    assert SIGNATURE.check_output("z", ["y"]) == "z"
    with pytest.raises(RequestError, match="the model has no such output"):
        SIGNATURE.check_output(None, [None])  # type: ignore[list-item]


def test_a_free_dimension_has_one_element_at_least_and_is_below_two_to_the_31() -> None:
    free = TensorSpec(name="t", dtype="float32", shape=("n",))
    for size in (1, MAX_DIMENSION):
        check_shape(free, (size,), {})
    for size in (0, -1, MAX_DIMENSION + 1):
        with pytest.raises(RequestError, match=f"^input 't': a dimension is out of range: expected 1 to 2147483647 for 'n', found {size}$"):
            check_shape(free, (size,), {})


def test_a_symbol_has_one_size_in_a_request_and_remembers_who_gave_it() -> None:
    symbols: Symbols = {}
    check_shape(LEFT, (3, 2), symbols)
    check_shape(RIGHT, (3, 5), symbols)
    assert symbols == {"batch": (3, "left"), "time": (5, "right")}
    square = TensorSpec(name="s", dtype="float32", shape=("n", "n"))
    check_shape(square, (2, 2), {})
    with pytest.raises(RequestError, match="^input 's': sizes disagree: expected 'n' to be 2 as in input 's', found 3$"):
        check_shape(square, (2, 3), {})


def test_a_fixed_dimension_may_be_of_no_elements() -> None:
    check_shape(TensorSpec(name="t", dtype="float32", shape=(0,)), (0,), {})


def test_shapes_and_what_came_are_shown_in_few_characters() -> None:
    assert show_shape(("batch", 4)) == "[batch, 4]"
    assert show_shape(()) == "[]"
    assert show(list(range(20))) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, ...]"
    assert len(show("a" * 10_000)) == 150
    assert len(show([["a" * 100] * 50] * 50)) == 200
