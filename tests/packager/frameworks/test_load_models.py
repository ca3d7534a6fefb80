"""Formats are found from content, and what can't be read says what was expected and found."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import zipfile
import zlib
from pathlib import Path

import joblib
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from sealift_packager.errors import SourceModelError, UntrustedPickleError
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.model.detect import detect_format
from sealift_packager.model.source import LoadOptions
from support import trained

TRUST = LoadOptions(trust_pickle=True)


def onnx_model(weights: onnx.TensorProto | None = None) -> onnx.ModelProto:
    weights = weights or numpy_helper.from_array(np.eye(3, dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_the_format_is_found_from_the_content_whatever_the_name(tmp_path: Path) -> None:
    onnx.save(onnx_model(), tmp_path / "m.onnx")
    files = {
        "scikit-learn": trained.cancer().model,
        "torch-program": trained.program().model,
        "torch-state": trained.state_dict(".pt").model,
        "onnx": tmp_path / "m.onnx",
    }
    for model_format, path in files.items():
        copy = tmp_path / f"{model_format}.bin"
        copy.write_bytes(path.read_bytes())
        assert detect_format(copy) == model_format
    assert detect_format(trained.state_dict().model) == "torch-state"


def test_tensorflow_s_and_keras_files_are_refused_with_the_way_to_onnx(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    for name in ("m.h5", "m.keras", "saved"):
        with pytest.raises(SourceModelError, match="tf2onnx"):
            load_model(tmp_path / name, LoadOptions())


def test_an_archive_that_unpacks_to_far_more_than_it_is_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(100 * 2**20))
    with pytest.raises(SourceModelError, match="zip bomb"):
        load_model(tmp_path / "bomb.pt", TRUST)


@pytest.mark.parametrize(
    "content",
    [
        zlib.compress(bytes(70 * 2**20)),
        zlib.compress(bytes(2**20)) * 70,
        gzip.compress(bytes(2**20)) * 70,
        bz2.compress(bytes(2**20)) * 70,
        (lzma.compress(bytes(2**20)) + bytes(4)) * 70,
    ],
    ids=["zlib", "zlib streams", "gzip streams", "bzip2 streams", "xz streams with zeros between"],
)
def test_a_compressed_pickle_that_unpacks_to_far_more_than_it_is_is_not_unpacked(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bomb.joblib").write_bytes(content)
    with pytest.raises(SourceModelError, match=r"the compressed file unpacks to far more than its own size"):
        load_model(tmp_path / "bomb.joblib", TRUST)


def test_a_compressed_joblib_and_an_old_torch_file_are_known(tmp_path: Path) -> None:
    joblib.dump([1], tmp_path / "a", compress=3)
    torch.save({"w": torch.zeros(1)}, tmp_path / "b", _use_new_zipfile_serialization=False)
    assert detect_format(tmp_path / "a") == "scikit-learn"
    assert detect_format(tmp_path / "b") == "torch-state"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty", b"", "empty"),
        ("text", b"hello, I am text", "begins with"),
        ("one byte of ONNX", b"\x08", "begins with"),
        ("one byte of a pickle", b"\x80", "begins with"),
        ("cut-zip", b"PK\x03\x04rest of an archive", "cut off"),
    ],
)
def test_what_is_no_model_says_what_was_expected(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceModelError, match=words):
        load_model(path, TRUST)


def test_a_missing_file_a_directory_and_data_are_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(SourceModelError, match="found nothing"):
        load_model(tmp_path / "no", TRUST)
    with pytest.raises(SourceModelError, match="found a directory"):
        load_model(tmp_path, TRUST)
    with pytest.raises(SourceModelError, match="is it the data"):
        load_model(trained.digits_holdout(), TRUST)


def test_a_pickle_is_not_read_unless_it_is_trusted(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    (tmp_path / "trap.pkl").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UntrustedPickleError, match="runs the code in it"):
        load_model(tmp_path / "trap.pkl", LoadOptions())
    assert not (tmp_path / "sprung").exists()


def test_a_state_dict_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    torch.save(trained.small_net(), tmp_path / "whole.pt")
    with pytest.raises(SourceModelError, match="save its state_dict"):
        load_model(tmp_path / "whole.pt", LoadOptions(factory=trained.FACTORY))


@pytest.mark.parametrize("model", ["cancer", "program", "state_dict"])
def test_a_truncated_file_is_refused(tmp_path: Path, model: str) -> None:
    data = getattr(trained, model)().model.read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceModelError, match="cut off|complete"):
        load_model(path, LoadOptions(trust_pickle=True, factory=trained.FACTORY if model == "state_dict" else None))


def test_a_truncated_onnx_file_is_refused(tmp_path: Path) -> None:
    data = onnx_model().SerializeToString()
    (tmp_path / "cut.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceModelError, match="complete ONNX file|at least one node"):
        load_model(tmp_path / "cut.onnx", LoadOptions())


def test_a_pickle_that_holds_no_model_and_one_that_is_not_fitted_are_refused(tmp_path: Path) -> None:
    joblib.dump({"a": 1}, tmp_path / "dict")
    joblib.dump(LogisticRegression(), tmp_path / "unfitted")
    with pytest.raises(SourceModelError, match=r"found builtins\.dict"):
        load_model(tmp_path / "dict", TRUST)
    with pytest.raises(SourceModelError, match="not fitted"):
        load_model(tmp_path / "unfitted", TRUST)


def test_weights_need_a_factory_and_the_right_one() -> None:
    weights = trained.state_dict().model
    with pytest.raises(SourceModelError, match="--factory"):
        load_model(weights, LoadOptions())
    with pytest.raises(SourceModelError, match="Did you mean 'build_small_net'"):
        load_model(weights, LoadOptions(factory=trained.FACTORY.replace("small", "smal")))
    with pytest.raises(SourceModelError, match="don't match the module"):
        load_model(weights, LoadOptions(factory="torch.nn:Identity"))
    with pytest.raises(SourceModelError, match="Leave --factory out"):
        load_model(trained.program().model, LoadOptions(factory=trained.FACTORY))


@pytest.mark.parametrize("rename", ["module.{}", "_orig_mod.{}", "module._orig_mod.{}"])
def test_weights_of_a_compiled_or_parallel_module_have_its_own_names(rename: str, tmp_path: Path) -> None:
    state = torch.load(trained.state_dict(".pt").model, weights_only=True)
    torch.save({rename.format(name): value for name, value in state.items()}, tmp_path / "w.pt")
    assert load_model(tmp_path / "w.pt", LoadOptions(factory=trained.FACTORY)).inputs[0].name == "image"


def test_example_inputs_come_from_the_factory_where_there_is_no_data() -> None:
    source = load_model(trained.state_dict(".pt").model, LoadOptions(factory=trained.FACTORY))
    assert [(spec.name, spec.shape) for spec in source.inputs] == [("image", ("batch", 1, 8, 8))]
    with pytest.raises(SourceModelError, match="no example inputs"):
        load_model(trained.state_dict().model, LoadOptions(factory=trained.FACTORY.replace("trained.py", "trained_without_examples.py")))


def test_an_exported_program_keeps_its_free_dimensions() -> None:
    source = load_model(trained.program().model, LoadOptions())
    assert source.inputs[0].shape == ("batch", 1, 8, 8)
    assert source.predict({"image": np.zeros((3, 1, 8, 8), np.float32)})["output"].shape == (3, 10)


def test_external_weights_outside_the_folder_are_refused(tmp_path: Path) -> None:
    inside = tmp_path / "model"
    inside.mkdir()
    (tmp_path / "w.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 3], data_location=TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value="../w.bin")
    (inside / "m.onnx").write_bytes(onnx_model(weights).SerializeToString())
    with pytest.raises(SourceModelError, match="outside the model's folder"):
        load_model(inside / "m.onnx", LoadOptions())
    weights.external_data[0].value = "w.bin"
    (inside / "m.onnx").write_bytes(onnx_model(weights).SerializeToString())
    with pytest.raises(SourceModelError, match="missing"):
        load_model(inside / "m.onnx", LoadOptions())
    (tmp_path / "w.bin").rename(inside / "w.bin")
    source = load_model(inside / "m.onnx", LoadOptions())
    assert source.predict({"x": np.ones((2, 3), np.float32)})["y"].tolist() == [[1, 1, 1]] * 2
