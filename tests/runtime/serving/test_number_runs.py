"""Long lists of numbers in JSON: read in slices, and just what the whole would have been."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest

from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import LimitError, RequestError
from sealift_core.schema.strict_json import JsonBudget
from sealift_runtime.serving.decoding import LARGE_BYTES
from sealift_runtime.serving.number_runs import RUN_BYTES, SLICE_BYTES, cut_out
from support.serving import reader

TENSORS = [TensorSpec(name="x", dtype="float32", shape=("rows", 4)), TensorSpec(name="ids", dtype="int64", shape=("rows",))]
READ = reader(TENSORS)
ROWS = 20_000
IDS = {"name": "ids", "shape": [ROWS], "datatype": "INT64", "data": list(range(ROWS))}
VALUES = np.random.default_rng(0).normal(size=(ROWS, 4)).astype(np.float32)


def body(data: str, *, rows: int = ROWS, more: str = "") -> bytes:
    made = f'{{{more}"inputs":[{json.dumps(IDS)},{{"name":"x","shape":[{rows},4],"datatype":"FP32","data":{data}}}]}}'.encode()
    assert len(made) > LARGE_BYTES
    return made


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("nested", [True, False])
def test_a_long_list_is_read_as_the_whole_would_be(nested: bool, indent: int | None) -> None:
    data = json.dumps((VALUES if nested else VALUES.ravel()).tolist(), indent=indent)
    cut, runs = cut_out(body(data))
    assert len(cut) < 1000
    assert len(runs) == 2
    read = READ(body(data)).inputs
    assert np.array_equal(read["x"], VALUES)
    assert np.array_equal(read["ids"], np.arange(ROWS))


def test_values_that_json_has_no_number_for_are_read_wherever_they_are() -> None:
    values = VALUES.copy()
    values[0, 0], values[-1, -1], values[ROWS // 2] = math.nan, math.inf, -math.inf
    assert np.array_equal(READ(body(json.dumps(values.tolist()))).inputs["x"], values, equal_nan=True)
    assert np.isnan(READ(body(json.dumps(values.tolist()).replace("NaN", "null"))).inputs["x"][0, 0])


FLAT = [0.25] * 4 * ROWS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (json.dumps(FLAT[1:]), "data and shape don't match: expected 80000 values for shape .20000, 4., found 79999"),
        (json.dumps([*FLAT[2:], [1, 2]]), "data isn't nested as shape says"),
        (json.dumps(np.array(FLAT).reshape(4, -1).tolist()), "data isn't nested as shape says"),
        (json.dumps(np.array(FLAT).reshape(ROWS, 2, 2).tolist()), "data isn't nested as shape says"),
        (json.dumps(FLAT).replace("0.25, ", "0.25 ,, ", 1).replace("0.25, ", "", 1), "not valid JSON"),
        (json.dumps(FLAT)[:-1] + ",]", "data and shape don't match"),
        (json.dumps(FLAT)[:-6] + "]", "irregular|not valid JSON"),
        (json.dumps(FLAT).replace("0.25]", "0.25 7]"), "not valid JSON"),
        (json.dumps(FLAT).replace("[0.25", "[0.25 7"), "not valid JSON"),
        (json.dumps(FLAT).replace("0.25]", "truth]"), "not valid JSON"),
        (json.dumps(FLAT).replace("0.25]", "1e39]"), "a value is out of range"),
        (json.dumps(VALUES.tolist()).replace("], [", "] 7, [", 1), "not valid JSON|nested"),
        (json.dumps(VALUES.tolist()).replace("], [", ", ", 1), "nested as shape says"),
        (json.dumps(FLAT).replace("0.25]", '"a"]'), "not valid JSON|wrong type"),
        (json.dumps(FLAT).replace("0.25]", "{}]"), "wrong type|irregular"),
    ],
)
def test_what_the_whole_would_be_refused_for_is_refused(data: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        READ(body(data))


def test_a_list_under_another_name_or_in_a_text_is_left_alone() -> None:
    strange = json.dumps({'"data': FLAT, "text": '"data":[' + "1," * RUN_BYTES + '1]"', "id": "[1]"})
    data = json.dumps(VALUES.tolist())
    assert np.array_equal(READ(body(data, more=f'"parameters":{strange},')).inputs["x"], VALUES)


def test_a_large_body_may_hold_few_values_beside_its_numbers() -> None:
    words = json.dumps(["a"] * 140_000)
    with pytest.raises(LimitError, match="too many values: expected at most 131072.*or as binary data"):
        READ(body(words))
    read = reader(TENSORS, budget=JsonBudget(values=70_000))
    with pytest.raises(LimitError, match="too many values: expected at most 70000, found up to 80000"):
        read(body(json.dumps(FLAT)))


def test_texts_of_any_length_are_read() -> None:
    read = reader([TensorSpec(name="x", dtype="string", shape=("rows",))])
    texts = ["a" * 300_000, '"data":[1,2]', "]}"]
    request = json.dumps({"inputs": [{"name": "x", "shape": [3], "datatype": "BYTES", "data": texts}]}).encode()
    assert read(request).inputs["x"].tolist() == texts
    numbers = json.dumps({"inputs": [{"name": "x", "shape": [200_000], "datatype": "BYTES", "data": [1] * 200_000}]}).encode()
    with pytest.raises(RequestError, match="wrong type of values: expected strings for BYTES, found numbers"):
        read(numbers)


def test_a_parser_is_never_given_more_than_a_slice() -> None:
    import sealift_runtime.serving.decoding as module

    sizes: list[int] = []
    original = module._loads

    def loads(data: bytes | bytearray) -> object:
        sizes.append(len(data))
        return original(data)

    module._loads = loads
    try:
        READ(body(json.dumps(VALUES.tolist())))
    finally:
        module._loads = original
    assert max(sizes) < SLICE_BYTES + 1000
    assert len(sizes) > 10


@pytest.mark.parametrize("unit", [b'"data":[', b'"data":[}', b'"data":[1,', b'"data" :\n[[', b'"data"'], ids=repr)
def test_a_body_of_many_beginnings_is_looked_through_once(unit: bytes) -> None:
    body = b"{" + unit * (8 * 2**20 // len(unit))
    begun = time.process_time()
    cut, runs = cut_out(body)
    assert time.process_time() - begun < 3, "seconds of a processor; looked through for each beginning it takes hundreds"
    assert (cut, runs) == (body, {})
