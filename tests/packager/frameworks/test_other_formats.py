"""A model of another format is recognized by its content, whatever its name, and the error says how to get an ONNX file of it."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import joblib
import numpy as np
import onnx
import pytest
from onnx import helper

from sealift_packager.errors import SourceModelError
from sealift_packager.model import detect

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 12345\n"
OPENVINO = b'<?xml version="1.0"?>\n<net name="torch_jit" version="11">\n\t<layers>\n\t\t<layer id="0" name="x" type="Parameter" version="opset1">'
PMML = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">'
MXNET = b'{\n  "nodes": [\n    {\n      "op": "null", \n      "name": "data", \n      "inputs": []\n    }'
CORE_ML = b"\x08\x04\x12\x0e\x0a\x0c\x0a\x05image\x1a\x03abc"
SAVED_MODEL = b"\x08\x01\x12\xd0\x02\x0a\x9f\x01\x12\x00" + bytes(200)


def tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo("model/model.onnx")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    return made.getvalue()


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return made.getvalue()


FILES = {
    "GGUF": (b"GGUF\x03\x00\x00\x00" + bytes(32), "a GGUF language model", "optimum-cli export onnx"),
    "TFLite": (b"\x1c\x00\x00\x00TFL3" + bytes(32), "a TensorFlow Lite model", "--tflite"),
    "Git LFS": (LFS, "a Git LFS pointer", "git lfs pull"),
    "OpenVINO": (OPENVINO, "an OpenVINO model", "the ONNX file that it was made from"),
    "PMML": (PMML, "a PMML document", "the model that it was exported from"),
    "PMML with a byte order mark": (b"\xef\xbb\xbf" + PMML, "a PMML document", "the model that it was exported from"),
    "Core ML": (CORE_ML, "a Core ML model", "the model that it was made from"),
    "SavedModel's inner file": (SAVED_MODEL, "a TensorFlow SavedModel", "tf2onnx"),
    "ncnn": (b"7767517\n75 83\nInput data 0 1 data", "an ncnn model", "ONNX"),
    "MXNet's graph": (MXNET, "an MXNet model", "mxnet.onnx"),
    "MXNet's weights": (b"\x12\x01" + bytes(30), "an MXNet model", "mxnet.onnx"),
    "TensorRT": (b"ftrt" + bytes(32), "a TensorRT engine", "the ONNX file"),
    "onnxruntime's own": (b"\x18\x00\x00\x00ORTM" + bytes(32), "onnxruntime's own format", "the ONNX file"),
    "PaddlePaddle": (b'{"base_code":{"magic":"pir","trainable":true,"version":1}', "a PaddlePaddle model", "paddle2onnx"),
    "R": (gzip.compress(b"X\n\x00\x00\x00\x03\x00\x04\x03\x00" + bytes(64)), "data saved by R", "xgb.save"),
    "tar": (tar(), "a tar archive", "Unpack it"),
    "tar.gz": (gzip.compress(tar()), "a tar archive", "Unpack it"),
    "a web page": (b"\n<!DOCTYPE html><html><head><title>Sign in", "a web page", "Download the file itself"),
    "zip of a model": (zipped("release/readme.md", "release/model.onnx"), "a zip archive that holds a model", "Unpack it"),
    "H2O": (zipped("model.ini", "domains/d000.txt"), "an H2O MOJO", "scikit-learn"),
    "TorchServe": (zipped("MAR-INF/MANIFEST.json", "model.pt"), "a TorchServe archive", "Unpack it"),
    "Excel": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook", "Save the sheet as CSV UTF-8 or Parquet"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Excel workbook", "pass that with --data"),
    "OpenDocument": (zipped("mimetype", "content.xml", "META-INF/manifest.xml"), "an OpenDocument spreadsheet", "Save the sheet"),
    "zip of a SavedModel": (zipped("m/saved_model.pb", "m/variables/variables.index"), "a TensorFlow SavedModel", "tf2onnx"),
}
FOLDERS = {
    "Hugging Face": (("config.json", "model.safetensors", "tokenizer.json"), "a Hugging Face model folder", "optimum-cli export onnx"),
    "Hugging Face in parts": (("config.json", "pytorch_model.bin.index.json"), "a Hugging Face model folder", "optimum-cli export onnx"),
    "LoRA": (("adapter_config.json", "adapter_model.safetensors"), "a LoRA adapter", "merge_and_unload"),
    "MLflow": (("MLmodel", "model.pkl", "conda.yaml"), "an MLflow model folder", "model.pkl"),
    "Orbax": (("_CHECKPOINT_METADATA", "manifest.ocdbt", "d/0"), "an Orbax checkpoint", "jax2onnx"),
    "Core ML package": (("Manifest.json", "Data/com.apple.CoreML/model.mlmodel"), "a Core ML model", "the model that it was made from"),
    "Spark ML": (("metadata/part-00000", "stages/0_x/metadata/part-00000"), "a Spark ML model folder", "convert_sparkml"),
    "OpenVINO": (("openvino_model.xml", "openvino_model.bin"), "an OpenVINO model", "the ONNX file"),
    "PaddlePaddle": (("inference.pdmodel", "inference.pdiparams"), "a PaddlePaddle model", "paddle2onnx"),
    "TensorFlow checkpoint": (("checkpoint", "model.ckpt-1.index"), "a TensorFlow checkpoint", "tf2onnx"),
}


def refusal(path: Path) -> SourceModelError:
    with pytest.raises(SourceModelError) as refused:
        detect.detect_format(path)
    return refused.value


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_format_is_named_with_the_way_to_onnx(name: str, tmp_path: Path) -> None:
    content, words, advice = FILES[name]
    (tmp_path / "model").write_bytes(content)
    error = refusal(tmp_path / "model")
    assert words in str(error)
    assert advice in str(error)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_another_format_is_named_with_the_way_to_onnx(name: str, tmp_path: Path) -> None:
    members, words, advice = FOLDERS[name]
    for member in members:
        (tmp_path / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / member).write_bytes(b"{}")
    error = refusal(tmp_path)
    assert words in str(error)
    assert advice in str(error)


@pytest.mark.parametrize("producer", ["", "pytorch", "\nodd", "x" * 300])
@pytest.mark.parametrize("ir_version", [1, 4, 10])
def test_an_onnx_file_stays_one_whatever_made_it(producer: str, ir_version: int, tmp_path: Path) -> None:
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [])
    model = helper.make_model(graph, ir_version=ir_version, producer_name=producer)
    (tmp_path / "m").write_bytes(model.SerializeToString())
    assert onnx.load(tmp_path / "m").producer_name == producer
    assert detect.detect_format(tmp_path / "m") == detect.ONNX


@pytest.mark.parametrize("compress", [0, ("gzip", 3), ("zlib", 3), ("bz2", 3), ("xz", 3)])
def test_a_joblib_file_stays_one_however_it_is_packed(compress: int | tuple[str, int], tmp_path: Path) -> None:
    joblib.dump({"x": np.arange(2000)}, tmp_path / "m", compress=compress)
    assert detect.detect_format(tmp_path / "m") == detect.SCIKIT


def test_bytes_of_no_known_format_are_shown_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"\xfe\xffabcdefgh")
    assert "the bytes fe ff 61 62" in str(refusal(tmp_path / "m"))
