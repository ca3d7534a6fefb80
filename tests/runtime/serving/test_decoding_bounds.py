"""Requests from bytes: where each bound lies, and what is read of what clients may leave out."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import LimitError, RequestError
from sealift_core.schema import strict_json
from sealift_core.schema.strict_json import JsonBudget
from sealift_runtime.inference.messages import InferRequest
from sealift_runtime.inference.signature import Signature
from sealift_runtime.serving import decoding
from sealift_runtime.serving.decoding import LARGE_BYTES, RequestDecoder, check_depth, parse_json
from sealift_runtime.serving.values import from_bytes, from_json

X = TensorSpec(name="x", dtype="float32", shape=("batch", 2))
Y = TensorSpec(name="y", dtype="float32", shape=("batch",))
SIGNATURE = Signature("m", "1.0.0", [X], [Y, TensorSpec(name="z", dtype="int64", shape=("batch",))])
ROW = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}


def decode(document: object, tail: bytes = b"", **options: Any) -> tuple[InferRequest, frozenset[str]]:
    head = document if isinstance(document, bytes) else json.dumps(document).encode()
    return RequestDecoder(**options).decode(SIGNATURE, head + tail, len(head) if tail else None)


def binary(size: Any, **changes: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": size}, **changes}


def spec(dtype: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name="t", dtype=dtype, shape=shape)


# The document


def test_a_plain_request_has_the_models_name_its_inputs_and_nothing_else() -> None:
    request, wanted = decode({"inputs": [ROW]})
    assert (request.model, request.version, request.outputs, request.id, dict(request.parameters)) == ("m", "1.0.0", None, None, {})
    assert wanted == frozenset()
    assert request.inputs["x"].tolist() == [[1.0, 2.0]]


def test_a_request_with_everything_keeps_everything() -> None:
    request, wanted = decode({"id": "7", "parameters": {"a": 1}, "inputs": [ROW], "outputs": [{"name": "y", "parameters": {"binary_data": True}}]})
    assert (request.model, request.version, request.outputs, request.id, dict(request.parameters)) == ("m", "1.0.0", ("y",), "7", {"a": 1})
    assert wanted == frozenset({"y"})


def test_what_is_unknown_is_passed_over() -> None:
    assert decode({"inputs": [ROW], "season": "summer"})[0].inputs["x"].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(("length", "accepted"), [(1000, True), (1001, False)])
def test_an_id_has_at_most_1000_characters(length: int, *, accepted: bool) -> None:
    if accepted:
        assert decode({"id": "i" * length, "inputs": [ROW]})[0].id == "i" * length
    else:
        with pytest.raises(RequestError, match="^id: malformed"):
            decode({"id": "i" * length, "inputs": [ROW]})


@pytest.mark.parametrize("document", [b"null", b"3", b'"text"', b"true", b"1.5", b"[]"])
def test_what_is_no_object_is_no_request(document: bytes) -> None:
    with pytest.raises(RequestError, match="^body: not an inference request: expected a JSON object, found "):
        decode(document)


NAMES = {"null": "nothing", "3": "an integer", '"text"': "a string", "true": "a boolean", "1.5": "a number", "{}": "an object", "[]": "a list"}


@pytest.mark.parametrize(("value", "name"), NAMES.items(), ids=NAMES.values())
def test_what_stands_in_place_of_the_inputs_or_of_one_is_named(value: str, name: str) -> None:
    if name != "a list":
        with pytest.raises(RequestError, match=f"^inputs: not a list of tensors: expected a list, found {name}$"):
            decode(f'{{"inputs": {value}}}'.encode())
    if name != "an object":
        with pytest.raises(RequestError, match=f"^inputs: not a tensor: .*found {name}$"):
            decode(f'{{"inputs": [{value}]}}'.encode())


@pytest.mark.parametrize("where", ["request", "input", "output"])
@pytest.mark.parametrize("value", [3, [], "text"])
def test_parameters_are_an_object_wherever_they_stand(where: str, value: object) -> None:
    parts: dict[str, dict[str, Any]] = {"request": {}, "input": dict(ROW), "output": {"name": "y"}}
    if not (where == "input" and not value):
        parts[where]["parameters"] = value
        places = {"request": "parameters", "input": "input 'x': parameters", "output": "output 'y': parameters"}
        with pytest.raises(RequestError, match=f"^{places[where]}: not an object: expected an object"):
            decode({**parts["request"], "inputs": [parts["input"]], "outputs": [parts["output"]]})


@pytest.mark.parametrize("where", ["request", "input", "output"])
@pytest.mark.parametrize("name", ["shared_memory_region", "classification"])
def test_an_extension_that_is_not_supported_is_refused_wherever_it_stands(where: str, name: str) -> None:
    parts: dict[str, dict[str, Any]] = {"request": {}, "input": dict(ROW), "output": {"name": "y"}}
    parts[where]["parameters"] = {name: 1}
    with pytest.raises(RequestError, match=f"an extension that this server doesn't support.*{name}"):
        decode({**parts["request"], "inputs": [parts["input"]], "outputs": [parts["output"]]})


def test_empty_parameters_say_nothing() -> None:
    assert decode({"inputs": [{**ROW, "parameters": {}}]})[0].inputs["x"].tolist() == [[1.0, 2.0]]
    assert decode({"inputs": [{**ROW, "parameters": {"content_type": "np"}}]})[0].inputs["x"].tolist() == [[1.0, 2.0]]


# Outputs


@pytest.mark.parametrize("outputs", [None, []])
def test_without_a_choice_of_outputs_all_are_meant(outputs: object) -> None:
    request, wanted = decode({"inputs": [ROW], "outputs": outputs, "parameters": {"binary_data_output": True}})
    assert request.outputs is None
    assert wanted == frozenset({"y", "z"})


@pytest.mark.parametrize("outputs", [False, 0, "", {}, {"name": "y"}])
def test_what_is_no_list_of_outputs_is_refused(outputs: object) -> None:
    with pytest.raises(RequestError, match="^outputs: not a list of tensors"):
        decode({"inputs": [ROW], "outputs": outputs})


@pytest.mark.parametrize("row", [None, "y", 3, {}, {"name": None}, {"name": 3}, {"name": "x"}])
def test_an_output_has_a_name_that_the_model_knows(row: object) -> None:
    with pytest.raises(RequestError, match="^outputs: the model has no such output: expected one of y, z, found "):
        decode({"inputs": [ROW], "outputs": [row]})


@pytest.mark.parametrize("value", [1, "true", None, [True]])
def test_only_the_very_word_true_asks_for_raw_bytes(value: object) -> None:
    assert decode({"inputs": [ROW], "parameters": {"binary_data_output": value}})[1] == frozenset()
    output = {"name": "y", "parameters": {"binary_data": value}}
    assert decode({"inputs": [ROW], "outputs": [output], "parameters": {"binary_data_output": True}})[1] == frozenset()


def test_outputs_come_in_the_order_that_they_are_asked_for() -> None:
    assert decode({"inputs": [ROW], "outputs": [{"name": "z"}, {"name": "y"}]})[0].outputs == ("z", "y")


# Raw tensors


def test_raw_tensors_follow_each_other_after_the_json() -> None:
    second = TensorSpec(name="w", dtype="int16", shape=("batch",))
    signature = Signature("m", "1.0.0", [X, second], [Y])
    rows = [binary(8), {"name": "w", "shape": [1], "datatype": "INT16", "parameters": {"binary_data_size": 2}}]
    head = json.dumps({"inputs": rows}).encode()
    request, _ = RequestDecoder().decode(signature, head + struct.pack("<ffh", 1, 2, 3), len(head))
    assert request.inputs["x"].tolist() == [[1, 2]]
    assert request.inputs["w"].tolist() == [3]


@pytest.mark.parametrize("size", [True, "8", 8.0, -1, [8], {}])
def test_a_size_in_bytes_is_an_integer(size: object) -> None:
    with pytest.raises(RequestError, match="^input 'x': binary_data_size is malformed"):
        decode({"inputs": [binary(size)]}, bytes(8))


def test_a_tensor_without_data_or_a_size_is_refused() -> None:
    with pytest.raises(RequestError, match="^input 'x': no data"):
        decode({"inputs": [binary(None)]})
    with pytest.raises(RequestError, match="^input 'x': data is not a list: expected values in a list, found null$"):
        decode({"inputs": [{**ROW, "data": None}]})


def test_raw_bytes_are_as_many_as_said_and_as_the_shape_takes() -> None:
    assert decode({"inputs": [binary(8)]}, bytes(8))[0].inputs["x"].tolist() == [[0, 0]]
    with pytest.raises(RequestError, match="^input 'x': binary data is cut off: expected 8 bytes, found 7 bytes left in the body$"):
        decode({"inputs": [binary(8)]}, bytes(7))
    with pytest.raises(RequestError, match=r"^body: bytes are left over: .*found 1 more$"):
        decode({"inputs": [binary(8)]}, bytes(9))
    with pytest.raises(RequestError, match=r"^input 'x': wrong size of binary data: expected 8 bytes for FP32 \[1, 2\], found 7 bytes$"):
        decode({"inputs": [binary(7)]}, bytes(7))


def test_a_tensor_of_no_bytes_needs_none() -> None:
    none = Signature("m", "1.0.0", [spec("float32", 0)], [Y])
    head = json.dumps({"inputs": [{"name": "t", "shape": [0], "datatype": "FP32", "parameters": {"binary_data_size": 0}}]}).encode()
    assert RequestDecoder().decode(none, head)[0].inputs["t"].shape == (0,)


@pytest.mark.parametrize("length", [-1, 10**6])
def test_the_length_of_the_json_lies_within_the_body(length: int) -> None:
    body = json.dumps({"inputs": [ROW]}).encode()
    with pytest.raises(RequestError, match=rf"^header Inference-Header-Content-Length: out of range: expected 0 to {len(body)}, .*found {length}$"):
        RequestDecoder().decode(SIGNATURE, body, length)
    assert RequestDecoder().decode(SIGNATURE, body, len(body))[0].inputs["x"].tolist() == [[1, 2]]
    with pytest.raises(RequestError, match="^body: not valid JSON"):
        RequestDecoder().decode(SIGNATURE, body, 0)


@pytest.mark.parametrize(
    ("shape", "message"), [([1], "wrong shape"), ([1, 2, 1], "wrong shape"), ([1.0, 2], "shape is not a list"), ("12", "shape is not a list")]
)
def test_a_shape_is_a_list_of_integers_that_fits(shape: object, message: str) -> None:
    with pytest.raises(RequestError, match=f"^input 'x': {message}"):
        decode({"inputs": [{**ROW, "shape": shape}]})


# JSON


def test_large_json_is_read_by_one_worker_at_a_time_and_small_json_is_not_kept_waiting() -> None:
    held = decoding._LARGE_BODIES
    body = json.dumps({"inputs": [ROW]}).encode()
    with held:
        assert decode(body + b" " * (LARGE_BYTES - len(body) - 1))[0].inputs["x"].tolist() == [[1, 2]]
    large = body + b" " * (LARGE_BYTES - len(body))
    seen: list[bool] = []
    original = strict_json.collecting_later

    def watched() -> Any:
        seen.append(held.locked())
        return original()

    strict_json.collecting_later = watched
    try:
        decode(large)
    finally:
        strict_json.collecting_later = original
    assert seen == [True]
    assert not held.locked()


def test_json_above_its_budget_is_refused_before_it_is_read() -> None:
    budget = JsonBudget(values=10, structures=10)
    small = json.dumps({"inputs": [ROW], "padding": [0] * 100})
    decode(small.encode(), budget=budget)  # so little that it isn't worth counting
    large = json.dumps({"inputs": [ROW], "padding": [0] * strict_json.LARGE_BYTES})
    with pytest.raises(LimitError, match=r"^body: .*Send data as a flat list"):
        decode(large.encode(), budget=budget)
    assert decode(large.encode())[0].inputs["x"].tolist() == [[1, 2]]


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_depth_is_counted_but_in_the_data_of_tensors(depth: int) -> None:
    nested: Any = {}
    for _ in range(depth - 2):
        nested = {"a": nested} if _ % 2 else [nested]
    document = {"parameters": nested} if depth > 1 else {}
    check_depth(document, depth)
    if depth > 1:
        with pytest.raises(RequestError, match=f"^body: nested too deep: expected at most {depth - 1} levels"):
            check_depth(document, depth - 1)
    check_depth({"data": [[[[[[[[1]]]]]]]]}, 1)


def test_a_request_may_be_as_deep_as_the_decoder_allows() -> None:
    with pytest.raises(RequestError, match="nested too deep: expected at most 2 levels"):
        decode({"inputs": [ROW]}, json_depth=2)
    assert decode({"inputs": [ROW]}, json_depth=4)[0].inputs["x"].tolist() == [[1, 2]]
    assert parse_json(b'{"a": [], "b": [], "c": [1]}', 3) == {"a": [], "b": [], "c": [1]}
    assert parse_json(b'{"a": [[]]}', 3) == {"a": [[]]}
    with pytest.raises(RequestError, match="nested too deep"):
        parse_json(b'{"a": [[]]}', 2)


@pytest.mark.parametrize(("text", "value"), [("NaN", np.nan), ("Infinity", np.inf), ("-Infinity", -np.inf)])
def test_each_word_that_json_has_no_number_for_is_read(text: str, value: float) -> None:
    found = parse_json(f'{{"a": {text}}}'.encode(), 9)["a"]
    assert found == value or (np.isnan(found) and np.isnan(value))


@pytest.mark.parametrize("text", ["{", '{"a": nan}', '{"a": NaN,}', '{"a": Infinity', "", '{"a": 01}'])
def test_what_is_no_json_is_refused_with_or_without_such_a_word(text: str) -> None:
    with pytest.raises(RequestError, match="^body: not valid JSON, caused by: (?!None)"):
        parse_json(text.encode(), 9)


# Values


@pytest.mark.parametrize("count", [1, 2, 10_000, 10_001])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_short_and_long_lists_of_numbers_are_read_alike(count: int, dtype: str) -> None:
    data: list[Any] = [0.5, *range(count - 1)]
    found = from_json(spec(dtype, count), (count,), data)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, np.array(data, dtype=dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "bool", "string"])
def test_a_list_of_nothing_is_a_tensor_of_no_values(dtype: str) -> None:
    found = from_json(spec(dtype, 0), (0,), [])
    assert found.shape == (0,)
    assert found.dtype == spec(dtype).numpy_dtype


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_the_least_and_the_largest_integer_of_a_dtype_are_read_and_the_next_ones_are_refused(dtype: str) -> None:
    limits = np.iinfo(dtype)
    found = from_json(spec(dtype, 2), (2,), [int(limits.min), int(limits.max)])
    assert found.tolist() == [limits.min, limits.max]
    for value in (int(limits.min) - 1, int(limits.max) + 1):
        with pytest.raises(RequestError, match="^input 't': (a value is out of range|wrong type of values)"):
            from_json(spec(dtype, 2), (2,), [0, value])


def test_the_value_that_is_out_of_range_is_named() -> None:
    for data, found in (([-129, 0], -129), ([0, 128], 128), ([-200, 200], -200)):
        with pytest.raises(RequestError, match=f"^input 't': a value is out of range: expected -128 to 127 for INT8, found {found}$"):
            from_json(spec("int8", 2), (2,), data)


def test_integers_of_64_bits_without_a_sign_are_read_beside_small_ones() -> None:
    assert from_json(spec("uint64", 2), (2,), [1, 2**64 - 1]).tolist() == [1, 2**64 - 1]
    assert from_json(spec("uint64", 1, 2), (1, 2), [[1, 2**63]]).tolist() == [[1, 2**63]]
    for data in ([-1, 2**63], [0.5, 2**63], [True, 2**64 - 1, 0.5]):
        with pytest.raises(RequestError, match="^input 't': wrong type of values"):
            from_json(spec("uint64", len(data)), (len(data),), data)


def test_zeros_and_ones_are_truths_and_no_other_numbers_are() -> None:
    assert from_json(spec("bool", 3), (3,), [0, 1, 0]).tolist() == [False, True, False]
    assert from_json(spec("bool", 2), (2,), [True, False]).tolist() == [True, False]
    for data, found in (([0, 2], "integers"), ([-1, 1], "integers"), ([0.0, 1.0], "numbers with a fraction or too large")):
        with pytest.raises(RequestError, match=f"^input 't': wrong type of values: expected true or false for BOOL, found {found}$"):
            from_json(spec("bool", 2), (2,), data)


@pytest.mark.parametrize(("dtype", "data", "found"), [
    ("int32", [1.5], "integers for INT32, found numbers with a fraction or too large"),
    ("uint8", [True], "integers for UINT8, found booleans"),
    ("float32", [True], "numbers for FP32, found booleans"),
    ("float16", [False], "numbers for FP16, found booleans"),
])  # fmt: skip
def test_values_of_another_type_are_named(dtype: str, data: list[Any], found: str) -> None:
    with pytest.raises(RequestError, match=f"^input 't': wrong type of values: expected {found}$"):
        from_json(spec(dtype, 1), (1,), data)


@pytest.mark.parametrize(("dtype", "largest"), [("float16", 65504.0), ("float32", 3.4028234e38)])
def test_a_number_that_a_float_cannot_hold_is_refused_and_infinity_is_not(dtype: str, largest: float) -> None:
    assert from_json(spec(dtype, 1, 1), (1, 1), [[largest]])[0, 0] == np.dtype(dtype).type(largest)
    assert from_json(spec(dtype, 1, 2), (1, 2), [["Infinity", "-Infinity"]]).tolist() == [[np.inf, -np.inf]]
    for data in ([[largest * 1.01]], [[-largest * 1.01]]):
        with pytest.raises(RequestError, match="^input 't': a value is out of range: expected at most "):
            from_json(spec(dtype, 1, 1), (1, 1), data)
    with pytest.raises(RequestError, match="^input 't': a value is out of range"):
        from_json(spec("float16", 1), (1,), [70_000])
    with pytest.raises(RequestError, match="^input 't': a value is out of range"):
        from_json(spec(dtype, 1), (1,), [largest * 1.01])


def test_an_integer_that_no_float_can_hold_is_refused_among_words() -> None:
    with pytest.raises(RequestError, match="^input 't': a value is out of range: expected a number for FP64, found a larger number$"):
        from_json(spec("float64", 2), (2,), [10**400, "NaN"])


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 4), (4, 1)])
def test_flat_values_take_any_shape_of_as_many(shape: tuple[int, ...]) -> None:
    assert from_json(spec("int8", *shape), shape, [1, 2, 3, 4]).shape == shape


def test_nested_values_take_their_own_shape_alone() -> None:
    assert from_json(spec("int8", 2, 2), (2, 2), [[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(RequestError, match=r"^input 't': data isn't nested as shape says: expected a flat list or \[4, 1\], found \[2, 2\]$"):
        from_json(spec("int8", 4, 1), (4, 1), [[1, 2], [3, 4]])
    with pytest.raises(RequestError, match=r"^input 't': data and shape don't match: expected 6 values for shape \[2, 3\], found 4 values$"):
        from_json(spec("int8", 2, 3), (2, 3), [[1, 2], [3, 4]])


def test_words_stand_for_what_is_not_finite_among_numbers_and_nowhere_else() -> None:
    found = from_json(spec("float64", 2, 2), (2, 2), [[1.5, None], ["NaN", "-Infinity"]])
    np.testing.assert_array_equal(found, [[1.5, np.nan], [np.nan, -np.inf]])
    for dtype in ("int32", "bool"):
        with pytest.raises(RequestError, match=r"^input 't': wrong type of values: .*found a string \('NaN'\)$"):
            from_json(spec(dtype, 2), (2,), [1, "NaN"])
        with pytest.raises(RequestError, match=r"^input 't': wrong type of values: .*found null$"):
            from_json(spec(dtype, 2), (2,), [1, None])
    with pytest.raises(RequestError, match=r"^input 't': wrong type of values: expected numbers for FP64, found a string \('nan'\)$"):
        from_json(spec("float64", 2), (2,), [None, "nan"])


IRREGULAR: list[list[Any]] = [[[1, 2], [3]], [[1], 2], [1, [2]], [[[1]], [2]], [["a"], "b"], ["a", ["b"]], [[], 1], [[[1]], [[1, 2]]]]


@pytest.mark.parametrize("data", IRREGULAR, ids=map(str, IRREGULAR))
@pytest.mark.parametrize("dtype", ["float32", "string"])
def test_lists_of_different_lengths_are_irregular(data: list[Any], dtype: str) -> None:
    with pytest.raises(RequestError, match="^input 't': data is irregular"):
        from_json(spec(dtype, 2), (2,), data)


def test_data_may_be_as_deep_as_a_tensor_and_no_deeper() -> None:
    def nested(depth: int) -> list[Any]:
        value: Any = "a"
        for _ in range(depth):
            value = [value]
        return list(value)

    assert from_json(spec("string", *(1,) * 16), (1,) * 16, nested(16)).ravel().tolist() == ["a"]
    with pytest.raises(RequestError, match="^input 't': (data is irregular|data isn't nested)"):
        from_json(spec("string", *(1,) * 16), (1,) * 16, nested(18))


@pytest.mark.parametrize(("data", "found"), [
    ("text", r"a string \('text'\)"), (None, "null"), (True, r"a boolean \(True\)"), (3, r"an integer \(3\)"),
    (1.5, r"a number \(1\.5\)"), ({}, "an object"), ("a" * 70, rf"a string \('{'a' * 59}\)"),
])  # fmt: skip
def test_what_stands_in_place_of_the_data_is_shown(data: object, found: str) -> None:
    with pytest.raises(RequestError, match=f"^input 't': data is not a list: expected values in a list, found {found}$"):
        from_json(spec("int8", 1), (1,), data)


@pytest.mark.parametrize(("leaf", "found"), [(None, "null"), (1, r"an integer \(1\)"), ({}, "an object")])
def test_a_text_among_texts_is_a_text(leaf: object, found: str) -> None:
    with pytest.raises(RequestError, match=f"^input 't': wrong type of values: expected strings for BYTES, found {found}$"):
        from_json(spec("string", 2), (2,), ["a", leaf])


@pytest.mark.parametrize("leaf", [{}, {"a": 1}])
def test_an_object_among_numbers_is_named(leaf: object) -> None:
    for data in ([1, leaf], [[1], [leaf]], ["NaN", leaf]):
        with pytest.raises(RequestError, match="^input 't': wrong type of values: expected numbers for FP32, found an object$"):
            from_json(spec("float32", 2), (2,), data)


def test_texts_are_found_at_any_depth_before_numpy_sees_them() -> None:
    # numpy would make every item as wide as the longest text
    for data in (["a" * 10_000, 1], [["a" * 10_000], [1]], [[[1]], [["a" * 10_000]]]):
        with pytest.raises(RequestError, match=r"^input 't': wrong type of values: expected numbers for FP32, found a string"):
            from_json(spec("float32", 2), (2,), data)


# Raw values


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("offset", [0, 1, 3, 8])
def test_raw_values_are_read_from_where_they_stand_aligned(dtype: str, offset: int) -> None:
    values = np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype)
    found = from_bytes(spec(dtype, 2, 3), (2, 3), b"?" * offset + values.tobytes() + b"?", offset, values.nbytes)
    assert found.dtype == values.dtype
    assert found.flags.aligned
    assert found.tolist() == values.tolist()


def test_raw_truths_are_true_where_a_byte_is_not_zero() -> None:
    found = from_bytes(spec("bool", 2, 2), (2, 2), b"?\x00\x01\x02\xff?", 1, 4)
    assert found.dtype == np.bool_
    assert found.view(np.uint8).tolist() == [[0, 1], [1, 1]]


def test_raw_texts_are_each_led_by_their_length() -> None:
    raw = b"\x01\0\0\0a\x02\0\0\0\xc3\xa9"
    assert from_bytes(spec("string", 1, 2), (1, 2), b"?" + raw + b"?", 1, len(raw)).tolist() == [["a", "é"]]
    with pytest.raises(RequestError, match="^input 't': too many texts"):
        from_bytes(spec("string", 1), (1,), raw, 0, len(raw))
    with pytest.raises(RequestError, match=r"^input 't': data and shape don't match: expected 3 values for shape \[3\], found 2 values$"):
        from_bytes(spec("string", 3), (3,), raw, 0, len(raw))


def test_integers_in_nested_lists_become_floats_of_the_tensors_own_dtype() -> None:
    for dtype in ("float16", "float32", "float64"):
        found = from_json(spec(dtype, 2, 2), (2, 2), [[1, 2], [3, 4]])
        assert found.dtype == np.dtype(dtype)
        assert found.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(("dtype", "data"), [("float64", [[None, 1], [2, 3]]), ("string", [["a", "b"], ["c", "d"]])])
def test_nested_words_and_texts_take_their_own_shape_alone(dtype: str, data: list[Any]) -> None:
    assert from_json(spec(dtype, 2, 2), (2, 2), data).shape == (2, 2)
    with pytest.raises(RequestError, match="^input 't': data isn't nested as shape says"):
        from_json(spec(dtype, 4, 1), (4, 1), data)


def test_texts_are_as_many_as_the_shape_takes() -> None:
    with pytest.raises(RequestError, match=r"^input 't': data and shape don't match: expected 3 values for shape \[3\], found 1 values$"):
        from_json(spec("string", 3), (3,), ["a"])


def test_an_integer_that_no_dtype_can_hold_is_shown() -> None:
    with pytest.raises(RequestError, match=r"^input 't': wrong type of values: expected numbers for INT32, found an integer \(1000"):
        from_json(spec("int32", 2), (2,), [10**30, 1])
    with pytest.raises(RequestError, match="^input 't': wrong type of values: .*found numbers with a fraction or too large$"):
        from_json(spec("int64", 2), (2,), [1, 2**63])
