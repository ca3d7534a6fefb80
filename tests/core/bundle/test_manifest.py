"""bundle.json: read back equal, strict about what it must say, open to what newer versions add."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sealift_core.bundle.manifest import BundleManifest, GoldenInfo
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import DocumentError, LimitError, SealiftError, UnsupportedSchemaError
from support.models import make_manifest


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(make_manifest().to_bytes()) | fields).encode()


def test_a_manifest_reads_back_equal() -> None:
    manifest = make_manifest("text")
    assert BundleManifest.parse(manifest.to_bytes()) == manifest


def test_what_values_mean_reads_back_equal() -> None:
    inputs = (TensorSpec(name="x", dtype="float32", shape=("batch", 2), columns=("age, in years", "été"), unit="a", minimum=0.0),)
    outputs = (TensorSpec(name="label", dtype="string", shape=("batch",), classes=("no", "yes", 3, 2.5, True)),)
    manifest = make_manifest(inputs=inputs, outputs=outputs)
    assert BundleManifest.parse(manifest.to_bytes()) == manifest


def test_tolerances_of_single_outputs_read_back_equal() -> None:
    manifest = make_manifest(golden=GoldenInfo(cases=2, rtol=1e-3, atol=0.5, output_atol={"scores": 1e-5}))
    assert BundleManifest.parse(manifest.to_bytes()) == manifest


def test_its_bytes_are_the_same_each_time() -> None:
    assert make_manifest().to_bytes() == make_manifest().to_bytes()


def test_unknown_fields_are_ignored() -> None:
    assert BundleManifest.parse(changed(since_1_7="x")) == make_manifest()


def test_another_major_version_is_refused() -> None:
    with pytest.raises(UnsupportedSchemaError, match="found 'sealift.bundle/2'"):
        BundleManifest.parse(changed(schema="sealift.bundle/2"))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a name with a separator": ({"name": "a/b"}, r"bundle\.json: name: malformed"),
    "a name that climbs": ({"name": ".."}, "name: malformed"),
    "a version that is none": ({"version": "1.0"}, "version: malformed"),
    "a time that is none": ({"created": "yesterday"}, "created: not a time: expected like 2026-01-31T12:00:00Z, found 'yesterday'"),
    "no inputs": ({"inputs": []}, "inputs: there must be tensors"),
    "two inputs of one name": ({"inputs": [{"name": "x", "dtype": "bool", "shape": []}] * 2}, "a name of its own"),
    "an unknown dtype": ({"inputs": [{"name": "x", "dtype": "float23", "shape": []}]}, r"inputs\[0\]\.dtype: .* Did you mean 'float32'"),
    "a negative dimension": ({"inputs": [{"name": "x", "dtype": "bool", "shape": [-1]}]}, r"inputs\[0\]\.shape: not a dimension: .* found -1"),
    "a huge dimension": ({"inputs": [{"name": "x", "dtype": "bool", "shape": [2**31]}]}, "not a dimension"),
    "a boolean dimension": ({"inputs": [{"name": "x", "dtype": "bool", "shape": [True]}]}, "not a dimension"),
    "columns that the shape has no place for": (
        {"inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3], "columns": ["a", "b"]}]},
        r"inputs\[0\]: the columns do not fit the shape: expected 3 columns, found 2",
    ),
    "columns of one value": (
        {"inputs": [{"name": "x", "dtype": "float32", "shape": [], "columns": ["a"]}]},
        "the columns do not fit the shape: expected no columns, found 1",
    ),
    "columns of a free size": ({"inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", "n"], "columns": ["a"]}]}, "the columns do not fit"),
    "a class that is a list": (
        {"outputs": [{"name": "y", "dtype": "int64", "shape": ["batch"], "classes": [1, [2]]}]},
        r"outputs\[0\]\.classes: not a class: .* found \[2\]",
    ),
    "a missing session": ({"session": None}, "session"),
    "another graph file": ({"model": {"file": "../model.onnx"}}, r"model\.file: not a known value"),
    "no golden cases": ({"golden": {"cases": 0, "rtol": 0, "atol": 0}}, r"golden\.cases: out of range"),
    "a negative tolerance of one output": (
        {"golden": {"cases": 1, "rtol": 0, "atol": 0, "output_atol": {"scores": -1}}},
        r"golden\.output_atol\.scores: out of range",
    ),
    "a tolerance of no output": (
        {"golden": {"cases": 1, "rtol": 0, "atol": 0, "output_atol": {"scores": 1, "score": 1}}},
        r"golden\.output_atol\.score: unknown field: .* Did you mean 'scores'",
    ),
    "a negative tolerance": ({"golden": {"cases": 1, "rtol": -1, "atol": 0}}, r"golden\.rtol: out of range"),
}


@pytest.mark.parametrize(("fields", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        BundleManifest.parse(changed(**fields))


def test_a_huge_manifest_is_refused_unparsed() -> None:
    with pytest.raises(LimitError, match="too large"):
        BundleManifest.parse(b" " * (5 * 2**20))


def test_a_tensor_of_many_dimensions_is_refused() -> None:
    with pytest.raises(LimitError, match="expected at most 16, found 17"):
        BundleManifest.parse(changed(inputs=[{"name": "x", "dtype": "bool", "shape": [1] * 17}]))


def test_every_field_that_is_taken_away_is_missed_or_has_a_default() -> None:
    fields = json.loads(make_manifest().to_bytes())
    missed = set()
    for name in fields:
        try:
            BundleManifest.parse(json.dumps({key: value for key, value in fields.items() if key != name}).encode())
        except SealiftError as error:
            assert name in str(error)
            missed.add(name)
    assert set(fields) - missed == {"description", "license", "owners"}
