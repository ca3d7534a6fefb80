"""`sealift diff`: each kind of file, compared as what it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from sealift_core.bundle import files
from sealift_packager.build.pipeline import pack
from sealift_packager.cli import cli
from sealift_packager.diff import artifact
from sealift_packager.diff.bundles import compare, compare_bundles
from sealift_packager.diff.documents import compare_json
from sealift_packager.diff.tensors import compare_tensors
from sealift_packager.errors import PackagerError
from support import trained
from support.packing import elsewhere, request


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One unpacked bundle."""
    place = tmp_path_factory.mktemp("diff")
    pack(request(trained.onnx_net(), place / "out", data=None))
    artifact.unpack(place / "out", "elsewhere", place / "bundle")
    return place / "bundle"


def copy(bundle: Path, place: Path) -> Path:
    shutil.copytree(bundle, place)
    return place


def test_documents_differ_by_path_with_rows_matched_by_name() -> None:
    first = {"a": 1, "rows": [{"name": "x", "v": 1}, {"name": "y", "v": 2}], "counts": [1, 2], "gone": None}
    second = {"a": 1.0, "rows": [{"name": "y", "v": 3}, {"name": "x", "v": 1}], "counts": [1, 3]}
    differences = {difference.field: (difference.first, difference.second) for difference in compare_json("f", first, second)}
    assert differences == {"$.a": ("1", "1.0"), "$.rows[y].v": ("2", "3"), "$.counts": ("[1, 2]", "[1, 3]"), "$.gone": ("null", "(not there)")}
    assert list(compare_json("f", first, first)) == []


def test_tensors_differ_by_how_much() -> None:
    first: dict[str, Any] = {"a": np.array([1.0, np.nan, 3.0]), "b": np.zeros(2), "t": np.array(["x"], object), "s": np.float32(1.0).reshape(())}
    second: dict[str, Any] = {"a": np.array([1.0, np.nan, 2.5]), "b": np.zeros(3), "t": np.array(["y"], object), "s": np.float32(2.0).reshape(())}
    differences = {difference.field: difference.first for difference in compare_tensors("f", first, second)}
    assert differences["a"] == "1 of 3 values differ, the most by 0.5; the first at [2]: 3.0"
    assert differences["b"] == "float64 [2]"
    assert differences["t"].startswith("1 of 1 values differ")
    assert differences["s"].startswith("1 of 1 values differ, the most by 1")
    assert len(list(compare_tensors("f", {}, first))) == 4


def test_a_changed_weight_and_a_changed_node_are_named(bundle: Path, tmp_path: Path) -> None:
    other = copy(bundle, tmp_path / "b")
    model = onnx.load(other / files.GRAPH)
    weight = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight.flat[0] += 0.5
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, model.graph.initializer[0].name))
    model.graph.node[0].op_type = "Odd"
    onnx.save(model, other / files.GRAPH)
    differences = list(compare_bundles(bundle, other))
    assert {difference.file for difference in differences} == {files.GRAPH}
    assert any(difference.field == model.graph.initializer[0].name and "the most by 0.5" in difference.first for difference in differences)
    assert any(difference.field.endswith(".operator") and "Odd" in difference.second for difference in differences)


def test_a_missing_file_a_changed_card_and_a_signature_are_named(bundle: Path, tmp_path: Path) -> None:
    other = copy(bundle, tmp_path / "b")
    (other / files.SBOM).unlink()
    (other / files.CARD).write_text((other / files.CARD).read_text() + "P.S.\n")
    (other / files.SIGNATURE).write_text("{}")
    differences = {difference.file: difference for difference in compare_bundles(bundle, other)}
    assert differences[files.SBOM].second == "(not there)"
    assert differences[files.CARD].second == "P.S."
    assert "the key" in differences[files.SIGNATURE].field


def test_releases_are_compared_by_profile_and_the_exit_code_tells(tmp_path: Path) -> None:
    pack(request(trained.cancer(), tmp_path / "a", elsewhere(), elsewhere("other"), data=None))
    pack(request(trained.cancer(), tmp_path / "b", elsewhere(), elsewhere("third"), data=None, license="MIT"))
    done = CliRunner().invoke(cli, ["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--json"])
    assert done.exit_code == 8
    differences = json.loads(done.output)["differences"]
    assert {"profile": "elsewhere", "file": "bundle.json", "field": "$.license", "first": '""', "second": '"MIT"'} in differences
    assert {difference["profile"] for difference in differences} == {"elsewhere", "other", "third"}
    same = CliRunner().invoke(cli, ["diff", str(tmp_path / "a"), str(tmp_path / "a")])
    assert (same.exit_code, same.output) == (0, "Identical, byte for byte.\n")
    artifact.unpack(tmp_path / "a", "elsewhere", tmp_path / "bundle")
    assert compare(tmp_path / "bundle", tmp_path / "a", "elsewhere") == []
    with pytest.raises(PackagerError, match="several"):
        compare(tmp_path / "bundle", tmp_path / "a")
    with pytest.raises(PackagerError, match="not the output of a sealift command"):
        compare(tmp_path / "nowhere", tmp_path / "a")
