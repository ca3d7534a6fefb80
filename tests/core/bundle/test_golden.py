"""golden.safetensors: arrays and texts, exactly as they went in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from sealift_core.bundle.golden import GoldenCase, decode_golden, decode_texts, encode_golden, encode_texts
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import DocumentError, SealiftError

INPUTS = [TensorSpec(name="a.0.input", dtype="float32", shape=("n", 2)), TensorSpec(name="words", dtype="string", shape=("n", 1))]
OUTPUTS = [TensorSpec(name="y", dtype="int64", shape=("n",))]


def case(rows: int) -> GoldenCase:
    values = np.array([[np.nan, np.inf]] * rows, dtype=np.float32)
    words = np.array([["größe"]] * rows, dtype=object).reshape(rows, 1)
    return GoldenCase(inputs={"a.0.input": values, "words": words}, outputs={"y": np.arange(rows)})


def test_cases_read_back_equal() -> None:
    data = encode_golden([case(1), case(3), case(0)], INPUTS, OUTPUTS)
    for expected, actual in zip([case(1), case(3), case(0)], decode_golden(data, INPUTS, OUTPUTS, 3), strict=True):
        for name, value in expected.inputs.items():
            np.testing.assert_array_equal(actual.inputs[name], value)
        np.testing.assert_array_equal(actual.outputs["y"], expected.outputs["y"])


def test_the_bytes_are_the_same_each_time() -> None:
    assert encode_golden([case(2)], INPUTS, OUTPUTS) == encode_golden([case(2)], INPUTS, OUTPUTS)


def test_a_case_that_is_not_there_is_named() -> None:
    data = encode_golden([case(1)], INPUTS, OUTPUTS)
    with pytest.raises(DocumentError, match=r"expected case\.1\.input\.0 \(for 'a\.0\.input'\)"):
        decode_golden(data, INPUTS, OUTPUTS, 2)


def test_a_wrong_dtype_is_named() -> None:
    data = encode_golden([case(1)], INPUTS, OUTPUTS)
    other = [TensorSpec(name="y", dtype="int32", shape=("n",))]
    with pytest.raises(DocumentError, match="expected int32, found int64"):
        decode_golden(data, INPUTS, other, 1)


def test_texts_that_do_not_fit_their_shape_are_refused() -> None:
    tensors = load(encode_golden([case(2)], INPUTS, OUTPUTS))
    tensors["case.0.input.1.shape"] = np.array([3, 1])
    with pytest.raises(DocumentError, match=r"case\.0\.input\.1: text doesn't fit its shape: expected \[3, 1\], found 2 texts"):
        decode_golden(save(tensors), INPUTS, OUTPUTS, 1)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_with_our_error(data: bytes) -> None:
    with pytest.raises(SealiftError):
        decode_golden(data, INPUTS, OUTPUTS, 1)


@given(st.lists(st.text(max_size=20), max_size=10))
def test_texts_read_back_equal(texts: list[str]) -> None:
    values = np.empty(len(texts), dtype=object)
    values[:] = texts
    assert decode_texts(encode_texts(values), where="x").tolist() == texts


@pytest.mark.parametrize("data", [b"\x05\x00\x00\x00abc", b"\x01\x00", b"\xff\xff\xff\xff", b"\x01\x00\x00\x00\xff"])
def test_texts_that_do_not_add_up_are_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match="x: text is"):
        decode_texts(data, where="x")


def test_one_number_keeps_its_rank() -> None:
    spec = TensorSpec(name="k", dtype="float32", shape=())
    data = encode_golden([GoldenCase(inputs={"k": np.array(2, np.float32)}, outputs={})], [spec], [])
    assert decode_golden(data, [spec], [], 1)[0].inputs["k"].shape == ()
