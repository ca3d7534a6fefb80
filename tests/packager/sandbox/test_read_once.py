"""A file from outside is opened once: what it becomes afterwards, or what its path leads to, changes nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_core.hardware.machine import detect_machine
from sealift_packager.archives.own_copy import open_plain, taken
from sealift_packager.build.context import BuildContext
from sealift_packager.build.pipeline import pack
from sealift_packager.cache.stage import Stages
from sealift_packager.data.files import read_data
from sealift_packager.errors import DataError, SourceModelError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.content import model_digest
from sealift_packager.model.source import LoadOptions, WeightPlace
from sealift_packager.onnx.beside import bring_weights
from sealift_packager.progress.progress import Silent
from support import large, trained
from support.packing import CREATED, request

WIDTHS = (64, 48, 8)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A graph with its weights in a file beside it."""
    (tmp_path / "given").mkdir()
    return large.chain(tmp_path / "given", WIDTHS)


def names(model: Path, location: str, **entries: str) -> None:
    """Let the first external weight name another place."""
    graph = onnx.load(model, load_external_data=False)
    tensor = next(tensor for tensor in graph.graph.initializer if tensor.data_location == TensorProto.EXTERNAL)
    for entry in tensor.external_data:
        entry.value = {"location": location, **entries}.get(entry.key, entry.value)
    model.write_bytes(graph.SerializeToString())


def options(folder: Path, inline_bytes: int = 1000) -> LoadOptions:
    (folder / "work").mkdir()
    return LoadOptions(place=WeightPlace(inline_bytes=inline_bytes, folder=folder / "work"))


def test_weights_that_stay_in_files_are_ours(chain: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((4, WIDTHS[0]), dtype=np.float32)
    right = large.answer(chain.parent, WIDTHS, x)
    expected = model_digest(chain)
    source = load_model(chain, options(tmp_path))
    shutil.rmtree(chain.parent)
    assert source.digest == expected
    np.testing.assert_allclose(source.predict({"x": x})["y"], right, rtol=1e-4, atol=1e-5)
    (folder,) = (tmp_path / "work").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "weights.bin"]
    assert (folder.stat().st_mode & 0o077) == 0


@pytest.mark.parametrize("inline_bytes", [1000, 2**30])
def test_no_copy_is_left_of_what_was_read_or_refused(chain: Path, tmp_path: Path, inline_bytes: int) -> None:
    folder = options(tmp_path, inline_bytes)
    names(chain, "missing.bin")
    with pytest.raises(SourceModelError, match="external weights are missing"):
        load_model(chain, folder)
    assert list((tmp_path / "work").iterdir()) == []
    names(chain, "weights.bin")
    load_model(chain, LoadOptions(place=WeightPlace(folder=tmp_path / "work")))
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("../secret.bin", "outside the model's folder"),
        ("sub/../weights.bin", "outside the model's folder"),
        ("..\\secret.bin", "outside the model's folder"),
        ("/etc/passwd", "outside the model's folder"),
        ("away.bin", "outside the model's folder"),
        ("aside/secret.bin", "outside the model's folder"),
        ("model.onnx", "in the graph's own file"),
        ("./model.onnx", "in the graph's own file"),
        ("pipe", "are missing"),
        ("", "name no file"),
        ("weights.bin\0.txt", "name no file"),
        (".", "are missing"),
        ("x" * 300, "name no file"),
        ("circle", "name no file"),
    ],
)
def test_weights_lie_in_plain_files_below_the_model(chain: Path, tmp_path: Path, location: str, words: str) -> None:
    shutil.copy(chain.parent / "weights.bin", tmp_path / "secret.bin")
    (chain.parent / "away.bin").symlink_to(tmp_path / "secret.bin")
    (chain.parent / "aside").symlink_to(tmp_path)
    os.mkfifo(chain.parent / "pipe")
    (chain.parent / "circle").symlink_to("circle")
    names(chain, location)
    for folder in (WeightPlace(inline_bytes=1000), WeightPlace()):
        with pytest.raises(SourceModelError, match=words):
            load_model(chain, LoadOptions(place=folder))


def test_links_within_the_folder_are_followed_and_a_file_of_two_names_is_copied_once(chain: Path, tmp_path: Path) -> None:
    (chain.parent / "sub").mkdir()
    (chain.parent / "weights.bin").rename(chain.parent / "sub" / "real.bin")
    (chain.parent / "weights.bin").symlink_to(Path("sub", "real.bin"))
    names(chain, "./sub/real.bin")
    source = load_model(chain, options(tmp_path))
    assert source.digest == model_digest(chain)
    (folder,) = (tmp_path / "work").iterdir()
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == ["model.onnx", "sub/real.bin"]


def test_a_link_that_is_put_there_meanwhile_is_not_followed(chain: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    shutil.copy(chain, tmp_path / "own")
    (tmp_path / "secret").mkdir()
    shutil.move(chain.parent / "weights.bin", tmp_path / "secret" / "weights.bin")
    (chain.parent / "sub").symlink_to(tmp_path / "secret")
    model = onnx.load(chain, load_external_data=False)
    folder = chain.parent / "plain"
    folder.mkdir()
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = "sub/weights.bin" if entry.key == "location" else entry.value
    with pytest.raises((SourceModelError, ValueError)):
        bring_weights(model, tmp_path / "own" / "model.onnx", chain)
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == ["model.onnx"]


def test_external_weights_in_the_defaults_of_functions_are_checked_too(tmp_path: Path) -> None:
    tensor = TensorProto(name="w", dims=[2], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret.bin")
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.add(name="value", ref_attr_name="w", type=onnx.AttributeProto.TENSOR)
    body = [constant, helper.make_node("Add", ["x", "c"], ["y"])]
    function = helper.make_function("own", "F", ["x"], ["y"], body, [helper.make_opsetid("", 18)])
    function.attribute_proto.add(name="w", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("F", ["x"], ["y"], domain="own")], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, functions=[function], opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("own", 1)], ir_version=10)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(SourceModelError, match="outside the model's folder"):
        load_model(tmp_path / "m.onnx", LoadOptions())


def test_a_pipe_a_device_and_a_folder_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SourceModelError, match="not a plain file"):
            load_model(path, LoadOptions())
        with pytest.raises(DataError, match="not a plain file"), open_plain(path, DataError):
            pass


@pytest.mark.parametrize("place", ["model", "data", "golden_from"])
def test_a_build_waits_for_no_pipe(place: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises((SourceModelError, DataError), match=r"pipe.npz: (not a plain file|no such data file)"):
        pack(request(trained.cancer(), tmp_path / "out", **{place: tmp_path / "pipe.npz"}), Silent())


def test_errors_name_the_file_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.bin").write_bytes(b"hello")
    monkeypatch.chdir(tmp_path)
    for given in (Path("m.bin"), tmp_path / "m.bin"):
        with pytest.raises(SourceModelError) as refused:
            load_model(given, LoadOptions())
        assert refused.value.where == str(given)


def test_a_file_that_is_a_link_is_read_where_the_link_leads(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", x=np.arange(3))
    (tmp_path / "link.npz").symlink_to("real.npz")
    assert read_data(tmp_path / "link.npz").arrays["x"].tolist() == [0, 1, 2]


def test_what_is_written_to_a_file_after_it_was_opened_isn_t_read(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x\n1\n")
    with taken(tmp_path / "d.csv", tmp_path, DataError) as copy:
        (tmp_path / "d.csv").write_text("x\n2\n")
        assert copy.path.read_text() == "x\n1\n"
    assert [path.name for path in tmp_path.iterdir()] == ["d.csv"]


def context_of(given: Any, digests: dict[str, Any]) -> BuildContext:
    stages = Stages(None, Silent(), {"inputs": digests})
    return BuildContext(given, stages, Silent(), detect_machine(), CREATED, WeightPlace())


@pytest.mark.parametrize("name", ["source", "data"])
def test_what_was_read_is_what_the_build_is_known_by(name: str, tmp_path: Path) -> None:
    given = request(trained.cancer(), tmp_path / "out", trust_pickle=True)
    digests = {"source": None, "data": None, name: "sha256:" + "0" * 64}
    with pytest.raises(DataError, match="changed while it was packed"):
        context_of(given, digests).prepare()


def test_a_build_leaves_no_copies(chain: Path, tmp_path: Path) -> None:
    rows = large.rows(chain.parent / "rows.npz", WIDTHS[0], 40)
    given = request(trained.onnx_net(), tmp_path / "out", model=chain, data=rows, metric="cosine", target="target")
    pack(given, Silent(), inline_bytes=1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "out"]
