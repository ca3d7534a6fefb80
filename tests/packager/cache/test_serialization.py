"""Values of our own as bytes and as JSON, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest

from sealift_packager.cache.serialization import NotSelfContainedError, SerializationError, decode, encode, fingerprint, from_json, to_json
from sealift_packager.candidates.candidate import Candidate
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from sealift_packager.graph.tensors import bytes_by_content
from support import trained


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    name: str
    values: np.ndarray[Any, np.dtype[Any]]
    model: Any
    counts: Mapping[int, float] | None
    pair: tuple[str, int]
    many: tuple[float, ...]
    flags: frozenset[str]


def an_example(**changes: Any) -> Example:
    example = Example(
        name="a", values=np.array([[1, 2]], np.int8), model=None, counts={3: 0.1}, pair=("x", 1), many=(1.0, 2.5), flags=frozenset("ab")
    )
    return dataclasses.replace(example, **changes)


TEXTS = np.array([["a", "ü", "\udcff"]], dtype=object)


def test_values_come_back_as_they_were() -> None:
    model = onnx.load(trained.onnx_net().model)
    numbers = np.array([np.nan, np.inf])
    for example in (an_example(), an_example(model=model), an_example(counts=None, values=TEXTS), an_example(values=numbers, many=(float("inf"),))):
        restored = decode(Example, encode(example))
        np.testing.assert_array_equal(restored.values, example.values)
        assert restored.values.dtype == example.values.dtype
        assert dataclasses.replace(restored, values=example.values) == example


def test_a_restored_array_can_be_written_to() -> None:
    decode(Example, encode(an_example())).values[0, 0] = 5


def test_values_come_back_from_json_as_arrays_of_numbers() -> None:
    example = an_example()
    restored = from_json(Example, to_json(example))
    np.testing.assert_array_equal(restored.values, example.values)
    assert dataclasses.replace(restored, values=example.values) == example
    assert to_json(np.float32(0.5)) == 0.5


def test_a_candidate_that_was_not_built_is_told_from_one_that_was() -> None:
    candidate = Candidate(name="int8", precision="int8-static")
    failed, built = (
        NotBuilt(candidate=candidate, reason="no such operator"),
        CandidateResult(candidate=candidate, model=onnx.load(trained.onnx_net().model), size_bytes=1),
    )
    for result in (failed, built):
        assert decode(CandidateResult | NotBuilt, encode(result)) == result  # type: ignore[arg-type]  # a union is no class


@pytest.mark.parametrize("data", [{}, {"name": 1}, [], None, {"name": "a", "surprise": 1}])
def test_a_value_of_another_type_is_refused(data: Any) -> None:
    with pytest.raises(SerializationError):
        from_json(Example, data)
    with pytest.raises(SerializationError):
        decode(Example, encode(data))


@pytest.mark.parametrize("size", range(0, len(encode(an_example())), 7))
def test_a_value_that_is_cut_off_is_refused(size: int) -> None:
    with pytest.raises(SerializationError):
        decode(Example, encode(an_example())[:size])


def test_an_unknown_extension_is_refused() -> None:
    with pytest.raises(SerializationError, match="unknown code 9"):
        decode(object, msgspec.msgpack.encode(msgspec.msgpack.Ext(9, b"")))


def test_what_can_not_be_written_says_so() -> None:
    with pytest.raises(TypeError, match="a object can't be written down"):
        encode(object())
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.UINT8, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    with pytest.raises(NotSelfContainedError):
        encode(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [tensor])))


def test_equal_values_have_one_fingerprint_whatever_their_order() -> None:
    one, another = {"a": 1, "b": frozenset("xyz")}, {"b": frozenset("zyx"), "a": 1}
    assert fingerprint(one, bytes_by_content) == fingerprint(another, bytes_by_content)
    assert fingerprint(one, bytes_by_content) != fingerprint({**one, "a": 2}, bytes_by_content)
