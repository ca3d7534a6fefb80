"""Requests and replies survive the way to bytes and back, in JSON and as raw tensors; what is wrong is named."""

from __future__ import annotations

import base64
import gzip
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sealift_core.bundle.golden import Array, decode_texts, encode_texts
from sealift_core.bundle.tensors import DATATYPES, TensorSpec
from sealift_core.errors import LimitError, RequestError
from sealift_runtime.inference.messages import InferReply
from sealift_runtime.inference.signature import Signature
from sealift_runtime.serving.decoding import RequestDecoder, check_depth
from sealift_runtime.serving.encoding import encode_reply
from sealift_runtime.serving.http import HttpRequest, json_length, plain_body
from sealift_runtime.serving.limits import ServingLimits
from support.models import MODELS
from support.serving import reader

BAD: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "corpus" / "requests" / "bad.json").read_text(encoding="utf-8"))["cases"]
DTYPES = sorted(set(DATATYPES) - {"string"})
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def tensors(draw: st.DrawFn) -> Array:
    dtype = draw(st.sampled_from([*DTYPES, "string"]))
    shape = draw(npst.array_shapes(min_dims=1, max_dims=4, max_side=4))
    if dtype != "string":
        return draw(npst.arrays(np.dtype(dtype), shape))
    size = int(np.prod(shape))
    value = np.empty(size, dtype=object)
    value[:] = draw(st.lists(TEXTS, min_size=size, max_size=size))
    return value.reshape(shape)


def spec_of(value: Array, name: str = "x") -> TensorSpec:
    dtype = "string" if value.dtype == object else value.dtype.name
    return TensorSpec(name=name, dtype=dtype, shape=tuple(f"d{i}" for i in range(value.ndim)))


def as_json(value: Array, name: str = "x", *, nested: bool = False) -> bytes:
    data = value.tolist() if nested else value.ravel().tolist()
    tensor = {"name": name, "shape": list(value.shape), "datatype": spec_of(value).datatype, "data": data}
    return json.dumps({"id": "42", "inputs": [tensor]}).encode()


@given(tensors(), st.booleans())
@example(value=np.array([0, 2**63], np.uint64), nested=False)  # beside a small one, numpy reads the large one as a float
def test_a_json_tensor_arrives_as_it_was_sent(value: Array, nested: bool) -> None:
    request = reader([spec_of(value)])(as_json(value, nested=nested))
    assert request.id == "42"
    assert request.inputs["x"].dtype == value.dtype
    np.testing.assert_array_equal(request.inputs["x"], value)


@given(st.lists(tensors(), min_size=1, max_size=3))
def test_raw_tensors_arrive_as_they_were_sent(values: list[Array]) -> None:
    descriptions, tail = [], b""
    for number, value in enumerate(values):
        raw = encode_texts(value) if value.dtype == object else value.tobytes()
        parameters = {"binary_data_size": len(raw)}
        descriptions.append({"name": f"t{number}", "shape": value.shape, "datatype": spec_of(value).datatype, "parameters": parameters})
        tail += raw
    head = json.dumps({"inputs": descriptions}).encode()
    specs = [TensorSpec(name=f"t{n}", dtype=spec_of(v).dtype, shape=tuple(f"{n}.{i}" for i in range(v.ndim))) for n, v in enumerate(values)]
    request = reader([*specs])(head + tail, len(head))
    for number, value in enumerate(values):
        assert request.inputs[f"t{number}"].flags.aligned
        np.testing.assert_array_equal(request.inputs[f"t{number}"], value)


def read_reply(body: bytes | bytearray, json_bytes: int | None) -> dict[str, Array]:
    """A reply read as a client would."""
    document = json.loads(body[:json_bytes])
    offset, outputs = json_bytes or 0, {}
    names = {datatype: dtype for dtype, datatype in DATATYPES.items()}
    for output in document["outputs"]:
        dtype = names[output["datatype"]]
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            raw = body[offset : offset + size]
            value = decode_texts(bytes(raw), where="reply") if dtype == "string" else np.frombuffer(raw, dtype)
            offset += size
        else:
            value = np.array(output["data"], dtype=object if dtype == "string" else dtype)
        outputs[output["name"]] = value.reshape(output["shape"])
    assert json_bytes is None or offset == len(body)
    return outputs


@given(st.lists(tensors(), min_size=1, max_size=3), st.sets(st.sampled_from(["t0", "t1", "t2"])))
def test_a_reply_arrives_as_it_was_given_nan_and_infinities_too(values: list[Array], binary: set[str]) -> None:
    outputs = {f"t{number}": value for number, value in enumerate(values)}
    body, json_bytes = encode_reply(InferReply("m", "1.0.0", None, outputs), frozenset(binary & set(outputs)))
    decoded = read_reply(body, json_bytes)
    for name, value in outputs.items():
        np.testing.assert_array_equal(decoded[name], value)


def test_a_reply_names_model_version_and_id() -> None:
    body, json_bytes = encode_reply(InferReply("m", "1.0.0", "7", {"y": np.ones((1, 2), np.float32)}), frozenset())
    assert json_bytes is None
    assert json.loads(body) == {
        "model_name": "m",
        "model_version": "1.0.0",
        "id": "7",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1, 1]}],
    }


@pytest.mark.parametrize("text", ["[1, NaN, Infinity, -Infinity]", '[1, "NaN", "Infinity", "-Infinity"]', '[[1, null, "Infinity", "-Infinity"]]'])
def test_nan_and_infinities_are_read_however_clients_write_them(text: str) -> None:
    spec = TensorSpec(name="x", dtype="float32", shape=(1, 4))
    body = f'{{"inputs": [{{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": {text}}}]}}'.encode()
    np.testing.assert_array_equal(reader([spec])(body).inputs["x"], np.array([[1, np.nan, np.inf, -np.inf]], np.float32))


@pytest.mark.parametrize(("dtype", "data"), [("float32", [1, 2]), ("bool", [0, 1]), ("uint8", [255, 0]), ("float64", [1, 2.5])])
def test_json_numbers_fit_every_dtype_that_can_hold_them(dtype: str, data: list[float]) -> None:
    spec = TensorSpec(name="x", dtype=dtype, shape=(2,))
    body = json.dumps({"inputs": [{"name": "x", "shape": [2], "datatype": spec.datatype, "data": data}]}).encode()
    value = reader([spec])(body).inputs["x"]
    assert value.dtype == np.dtype(dtype)
    assert value.tolist() == data


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32"])
@pytest.mark.parametrize("value", [-(2**31) - 1, 2**32])
def test_an_integer_that_does_not_fit_is_refused(dtype: str, value: int) -> None:
    spec = TensorSpec(name="x", dtype=dtype, shape=(1,))
    body = json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": spec.datatype, "data": [value]}]}).encode()
    with pytest.raises(RequestError, match=f"a value is out of range: expected .* found {value}"):
        reader([spec])(body)


def test_outputs_are_chosen_and_made_binary_by_parameters() -> None:
    model = MODELS["linear"]
    signature = Signature("linear", "1.0.0", model.inputs, model.outputs)
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}

    def requested(**fields: Any) -> tuple[tuple[str, ...] | None, set[str]]:
        request, binary = RequestDecoder().decode(signature, json.dumps({"inputs": [tensor], **fields}).encode())
        return request.outputs, set(binary)

    assert requested() == (None, set())
    assert requested(outputs=[]) == (None, set())
    assert requested(parameters={"binary_data_output": True}) == (None, {"scores", "label"})
    assert requested(outputs=[{"name": "label", "parameters": {"binary_data": True}}]) == (("label",), {"label"})
    no = {"name": "scores", "parameters": {"binary_data": False}}
    assert requested(outputs=[no, {"name": "label"}], parameters={"binary_data_output": True}) == (("scores", "label"), {"label"})


def body_of(case: dict[str, Any]) -> bytes:
    return base64.b64decode(case["body64"]) if "body64" in case else str(case["body"]).encode()


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["name"])
def test_a_bad_request_is_refused_with_its_reason(case: dict[str, Any]) -> None:
    model = MODELS[case["model"]]
    headers = {name.lower().encode(): value.encode() for name, value in case.get("headers", {}).items()}
    request = HttpRequest("POST", b"", headers, body_of(case))
    with pytest.raises(RequestError) as caught:
        reader(model.inputs, model.outputs)(plain_body(request, ServingLimits(body_bytes=1000)), json_length(request))
    assert case["error"] in str(caught.value)


@settings(max_examples=300)
@given(st.binary(max_size=60), st.none() | st.integers(-5, 80))
def test_noise_is_refused_and_nothing_else_happens(body: bytes, json_bytes: int | None) -> None:
    with pytest.raises(RequestError):
        reader([MODELS["linear"].inputs[0]])(body, json_bytes)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=4), max_leaves=12
)


@settings(max_examples=300)
@given(VALUES, st.sampled_from([*DTYPES, "string"]), st.lists(st.integers(-1, 4), max_size=3))
def test_any_data_is_an_array_of_the_right_shape_or_refused(data: Any, dtype: str, shape: list[int]) -> None:
    spec = TensorSpec(name="x", dtype=dtype, shape=tuple(f"d{i}" for i in range(len(shape))))
    body = json.dumps({"inputs": [{"name": "x", "shape": shape, "datatype": spec.datatype, "data": data}]}).encode()
    try:
        value = reader([spec])(body).inputs["x"]
    except RequestError as error:
        assert "input 'x'" in str(error) or "body" in str(error)
    else:
        assert value.shape == tuple(shape)
        assert value.dtype == spec.numpy_dtype


def test_text_that_is_not_utf8_is_refused() -> None:
    tensor = {"name": "word", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}
    head = json.dumps({"inputs": [tensor]}).encode()
    with pytest.raises(RequestError, match=r"input 'word': text is not UTF-8"):
        reader([MODELS["text"].inputs[0]])(head + b"\x01\0\0\0\xff", len(head))
    with pytest.raises(RequestError, match=r"input 'word': text is cut off: expected 9 bytes"):
        reader([MODELS["text"].inputs[0]])(head + b"\x09\0\0\0a", len(head))


def test_depth_is_counted_by_lists_and_tables() -> None:
    check_depth({"a": [[1]]}, 4)
    with pytest.raises(RequestError, match="at most 2 levels"):
        check_depth({"a": [[1]]}, 2)


def test_very_deep_json_with_nan_is_refused() -> None:
    with pytest.raises(RequestError):
        reader([MODELS["linear"].inputs[0]])(b'{"a": NaN, "inputs": ' + b"[" * 100_000)


RAW_DEFLATE = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(b"hello")),
        ("gzip", gzip.compress(b"hel") + gzip.compress(b"lo")),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", RAW_DEFLATE.compress(b"hello") + RAW_DEFLATE.flush()),
        ("identity", b"hello"),
        ("GZIP", gzip.compress(b"hello")),
    ],
    ids=["gzip", "gzip members", "zlib", "raw deflate", "identity", "capitals"],
)
def test_compressed_bodies_are_read(encoding: str, data: bytes) -> None:
    assert plain_body(HttpRequest("POST", b"", {b"content-encoding": encoding.encode()}, data), ServingLimits(body_bytes=5)) == b"hello"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_that_grows_too_large_is_refused(encoding: str) -> None:
    data = gzip.compress(bytes(10**7)) if encoding == "gzip" else zlib.compress(bytes(10**7))
    with pytest.raises(LimitError, match="at most 1000000 bytes"):
        plain_body(HttpRequest("POST", b"", {b"content-encoding": encoding.encode()}, data), ServingLimits(body_bytes=10**6))


FLOATS = reader([TensorSpec(name="x", dtype="float32", shape=("rows",))])


@pytest.mark.parametrize(
    ("dtype", "data"),
    [
        ("float32", "[1.5,true]"),
        ("float32", "[true,1.5]"),
        ("float64", "[[1],[false]]"),
        ("int64", "[5,true]"),
        ("uint64", "[18446744073709551615,false]"),
        ("float32", "[NaN,true]"),
        ("float16", "[null,true]"),
        ("int8", "[true,false]"),
    ],
)
def test_booleans_are_no_numbers(dtype: str, data: str) -> None:
    rank = ("rows", 1) if "[[" in data else ("rows",)
    spec = TensorSpec(name="x", dtype=dtype, shape=rank)
    body = f'{{"inputs":[{{"name":"x","shape":{[2, 1] if "[[" in data else [2]},"datatype":"{spec.datatype}","data":{data}}}]}}'
    with pytest.raises(RequestError, match="wrong type of values: expected (numbers|integers) for .*, found booleans"):
        reader([spec])(body.encode())


@pytest.mark.parametrize("number", ["1e400", "-1e999", "9" * 400, "0.1e+0400"])
@pytest.mark.parametrize("beside", ["1", "NaN"])
def test_a_number_too_large_for_a_float_is_refused_whatever_is_beside_it(number: str, beside: str) -> None:
    body = f'{{"inputs":[{{"name":"x","shape":[2],"datatype":"FP32","data":[{number},{beside}]}}]}}'
    with pytest.raises(RequestError, match="too large a number|out of range|not valid JSON|larger number"):
        FLOATS(body.encode())


@pytest.mark.parametrize(
    "place", ['"id":"\\ud800",', '"parameters":{"a":"\\udfff"},', '"parameters":{"\\ud800":1},', '"outputs":[{"name":"\\ud800"}],']
)
@pytest.mark.parametrize("beside", ["1", "NaN"])
def test_half_a_surrogate_pair_is_refused_whatever_is_beside_it(place: str, beside: str) -> None:
    body = f'{{{place}"inputs":[{{"name":"x","shape":[2],"datatype":"FP32","data":[2,{beside}]}}]}}'
    with pytest.raises(RequestError, match="not valid JSON"):
        FLOATS(body.encode())


@pytest.mark.parametrize("rows", [3, 20_000])
def test_strict_clients_ask_for_null_in_place_of_what_json_has_no_number_for(rows: int) -> None:
    values = np.zeros(rows, np.float32)
    values[:3] = math.nan, math.inf, -math.inf
    body, _ = encode_reply(InferReply("m", "1", None, {"y": values, "t": np.array(["null"], object)}), frozenset(), null=True)
    outputs = orjson.loads(body)["outputs"]
    assert outputs[0]["data"][:3] == [None, None, None]
    assert outputs[1]["data"] == ["null"]
    lenient, _ = encode_reply(InferReply("m", "1", None, {"y": values}), frozenset())
    assert b"[NaN,Infinity,-Infinity" in lenient


def test_a_large_reply_is_the_same_in_slices() -> None:
    floats = np.random.default_rng(1).normal(size=(9_000, 4)).astype(np.float32)
    outputs = {
        "y": floats,
        "n": np.arange(40_000),
        "b": np.arange(20_000) % 2 == 0,
        "t": np.array(["a", 'ü"', ""] * 8_000, object),
        "one": floats[:1],
    }
    body, size = encode_reply(InferReply("m", "1", "id", outputs), frozenset({"n"}))
    assert size is not None
    document = json.loads(body[:size])
    assert (document["model_name"], document["model_version"], document["id"]) == ("m", "1", "id")
    shown = {output["name"]: output for output in document["outputs"]}
    assert list(shown) == list(outputs)
    assert np.array_equal(np.array(shown["y"]["data"], np.float32).reshape(shown["y"]["shape"]), floats)
    assert shown["n"]["parameters"] == {"binary_data_size": 320_000}
    assert np.array_equal(np.frombuffer(body[size:], np.int64), outputs["n"])
    assert shown["b"]["data"] == outputs["b"].tolist()
    assert shown["t"]["data"] == outputs["t"].tolist()
