"""--shape and --example on the command line and in project files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_packager.build.isolated import pack
from sealift_packager.build.request import PackRequest
from sealift_packager.data.example import read_example
from sealift_packager.errors import DataError, SourceModelError
from sealift_packager.profiles.library import load_profile
from support.graphs import constant, model, value


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    made = model(
        nodes,
        [value("x", ["n", "length"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [constant("shape", np.array([0, -1, 7919]))],
    )
    onnx.save(made, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def request(graph: Path, **options: object) -> PackRequest:
    profile = load_profile("arm64-baseline")
    return PackRequest(model=graph, name="m", version="1.0.0", profiles=(profile,), out=graph.parent / "out", **options)  # type: ignore[arg-type]


def test_an_example_file_is_read_in_the_sandbox_and_packs_a_model_of_one_size(graph: Path) -> None:
    np.savez(graph.parent / "example.npz", x=np.ones((2, 7919), np.float32))
    packed = pack(request(graph, example=(graph.parent / "example.npz",)))
    assert any("compared with x_1 of 7919" in note for note in packed.notes)


def test_a_size_that_is_given_packs_a_model_of_one_size(graph: Path) -> None:
    assert pack(request(graph, shape=("x:1=7919",))).manifests


def test_the_same_shape_is_refused_for_what_is_no_shape(graph: Path) -> None:
    with pytest.raises(SourceModelError, match="not a shape"):
        request(graph, shape=("x:1",))


def test_an_example_may_be_npy_or_json(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3)))
    (tmp_path / "a.json").write_text(json.dumps({"x": [[1.5, 2]], "sr": 16000}))
    assert read_example(tmp_path / "a.npy")[""].shape == (2, 3)
    example = read_example(tmp_path / "a.json")
    assert (example["x"].tolist(), int(example["sr"])) == ([[1.5, 2.0]], 16000)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "not a supported format"),
        ("a.json", b"[1]", "can't be read as .json"),
        ("a.json", b"{", "can't be read as .json"),
        ("a.json", b"{}", "without arrays"),
        ("a.npy", b"nothing", "can't be read as .npy"),
        ("a.npz", b"nothing", "can't be read as .npz"),
    ],
)
def test_what_is_no_example_is_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_example(tmp_path / name)
