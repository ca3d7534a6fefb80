"""Models of other formats, recognized by their content, each with the way to an ONNX file."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

#: Enough of a file's beginning to know it by: a tar header is 512 bytes, a document's root element stands within the first few hundred.
HEAD_BYTES: Final = 4096


class Foreign(NamedTuple):
    """A format that isn't read: its name, and what to do instead."""

    name: str
    advice: str


#: Where TensorFlow and Keras models are to go: their exporter needs their own versions of numpy and protobuf, so it runs elsewhere.
KERAS_ADVICE: Final = (
    "Save it as ONNX where TensorFlow is installed: model.export('saved'), then 'python -m tf2onnx.convert --saved-model saved --output "
    "model.onnx --opset 18' (Keras 3: model.export('model.onnx', format='onnx')), and pack that file."
)
_UNPACK: Final = "Unpack it, and pass the model file in it."
_TRAINED_WITH: Final = "Export the model from the framework that it was trained in to ONNX, and pack that file."

SAVED_MODEL: Final = Foreign("a TensorFlow SavedModel", KERAS_ADVICE)
TENSORFLOW_GRAPH: Final = Foreign(
    "a TensorFlow checkpoint", "Load it into its model in TensorFlow, and save that as ONNX with model.export() and tf2onnx; then pack the ONNX file."
)
KERAS: Final = Foreign("a Keras model", KERAS_ADVICE)
HDF5: Final = Foreign("an HDF5 file, as Keras writes it", KERAS_ADVICE)
TFLITE: Final = Foreign(
    "a TensorFlow Lite model", "Convert it with 'python -m tf2onnx.convert --tflite model.tflite --output model.onnx', and pack that file."
)
GGUF: Final = Foreign("a GGUF language model", "It is made for llama.cpp. Export the model that it was made from with 'optimum-cli export onnx'.")
GIT_LFS: Final = Foreign("a Git LFS pointer, not the model itself", "Run 'git lfs pull' in its repository, and pack the file that then stands there.")
HUGGING_FACE: Final = Foreign(
    "a Hugging Face model folder",
    "Export it with 'optimum-cli export onnx --model FOLDER onnx_folder', and pack onnx_folder/model.onnx. Or pass its weights with --factory.",
)
LORA: Final = Foreign(
    "a LoRA adapter, which is no model without its base model",
    "Merge it with PEFT (PeftModel.from_pretrained(base, FOLDER).merge_and_unload()), save that, and export it with 'optimum-cli export onnx'.",
)
MLFLOW: Final = Foreign(
    "an MLflow model folder",
    "Pass the model file in it: model.pkl of scikit-learn, model.xgb, model.lgb, model.cb or model.onnx (see its file MLmodel).",
)
ORBAX: Final = Foreign(
    "an Orbax checkpoint of JAX", "Restore it in JAX, export the function with jax2onnx or by jax2tf and tf2onnx, and pack the ONNX file."
)
SPARK: Final = Foreign("a Spark ML model folder", "Convert it in Spark with onnxmltools.convert_sparkml, and pack the ONNX file.")
H2O: Final = Foreign("an H2O MOJO", "H2O has no ONNX exporter for most models. Train the model in XGBoost, LightGBM or scikit-learn, and pack that.")
OPENVINO: Final = Foreign("an OpenVINO model", "Pass the ONNX file that it was made from: OpenVINO's .xml and .bin can't be turned back into ONNX.")
PMML: Final = Foreign("a PMML document", "Pass the model that it was exported from: the scikit-learn, XGBoost or LightGBM file.")
CORE_ML: Final = Foreign("a Core ML model", "Pass the model that it was made from, or export that to ONNX in its own framework.")
PADDLE: Final = Foreign(
    "a PaddlePaddle model", "Convert it with 'paddle2onnx --model_dir FOLDER --model_filename FILE --save_file model.onnx', and pack the ONNX file."
)
NCNN: Final = Foreign("an ncnn model", _TRAINED_WITH)
MXNET: Final = Foreign("an MXNet model", "Convert it with mxnet.onnx.export_model in MXNet 1.9, and pack the ONNX file.")
TENSORRT: Final = Foreign("a TensorRT engine, which only runs on one kind of GPU", "Pass the ONNX file that it was built from.")
ORT_FORMAT: Final = Foreign("a model in onnxruntime's own format (.ort)", "Pass the ONNX file that it was made from.")
R_DATA: Final = Foreign("data saved by R", "Save the model by its own library (xgb.save, lgb.save), or train it in Python, and pack that file.")
TAR: Final = Foreign("a tar archive", _UNPACK)
TORCH_ARCHIVE: Final = Foreign("a TorchServe archive (.mar)", "Unpack it as a zip file, and pass the TorchScript file or the weights in it.")
WEB_PAGE: Final = Foreign("a web page", "The download gave a page (often a login) in place of the file. Download the file itself.")
_TABLE: Final = "It is a table, not a model. Save the sheet as CSV UTF-8 or Parquet, pass that with --data, and the model's own file in its place."
EXCEL: Final = Foreign("an Excel workbook", _TABLE)
OLD_EXCEL: Final = Foreign("an old Excel workbook (.xls)", _TABLE)
OPEN_DOCUMENT: Final = Foreign("an OpenDocument spreadsheet (.ods)", _TABLE)
ZIPPED: Final = Foreign("a zip archive that holds a model", _UNPACK)

#: What a file begins with.
_BEGINNINGS: Final = (
    (b"\x89HDF", HDF5),
    (b"GGUF", GGUF),
    (b"version https://git-lfs.github.com/spec/", GIT_LFS),
    (b"7767517\n", NCNN),
    (b"\x12\x01\x00\x00\x00\x00\x00\x00", MXNET),
    (b"ftrt", TENSORRT),
    (b"ptrt", TENSORRT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLD_EXCEL),
    (b"RDX2\n", R_DATA),
    (b"RDX3\n", R_DATA),
    (b"X\n\x00\x00\x00", R_DATA),
    (b'{"base_code":{"magic":"pir"', PADDLE),
)
#: What stands in a document of text, in lower case.
_DOCUMENTS: Final = ((b"<pmml", PMML), (b"<!doctype html", WEB_PAGE), (b"<html", WEB_PAGE))
#: Names that a folder, or an archive, has of each format; the first that fits. A name that ends in / is a folder.
_LAYOUTS: Final[tuple[tuple[tuple[str, ...], Foreign], ...]] = (
    (("saved_model.pb",), SAVED_MODEL),
    (("config.json", "model.weights.h5"), KERAS),
    (("MLmodel",), MLFLOW),
    (("adapter_config.json",), LORA),
    (("Manifest.json", "Data/"), CORE_ML),
    (("_CHECKPOINT_METADATA",), ORBAX),
    (("manifest.ocdbt",), ORBAX),
    (("metadata/", "stages/"), SPARK),
    (("metadata/", "data/"), SPARK),
    (("model.ini",), H2O),
    (("MAR-INF/",), TORCH_ARCHIVE),
    (("xl/",), EXCEL),
    (("content.xml", "META-INF/"), OPEN_DOCUMENT),
    (("openvino_model.xml",), OPENVINO),
    (("inference.pdmodel",), PADDLE),
    (("__model__",), PADDLE),
    (("inference.json", "inference.pdiparams"), PADDLE),
    (("modules.json", "config.json"), HUGGING_FACE),
    (("config.json", "model.safetensors"), HUGGING_FACE),
    (("config.json", "model.safetensors.index.json"), HUGGING_FACE),
    (("config.json", "pytorch_model.bin"), HUGGING_FACE),
    (("config.json", "pytorch_model.bin.index.json"), HUGGING_FACE),
    (("checkpoint",), TENSORFLOW_GRAPH),
)
#: Fields 2 to 8 of what TensorFlow says of a graph.
_FACTS: Final = (b"\x12", b"\x1a", b"\x22", b"\x2a", b"\x32", b"\x38", b"\x42")
_MODEL_ENDINGS: Final = (".onnx", ".pt", ".pth", ".pt2", ".safetensors", ".joblib", ".pkl", ".pickle", ".skops", ".ubj", ".cbm", ".h5", ".tflite")


def foreign_file(head: bytes) -> Foreign | None:
    """The format of a file that begins with ``head`` (up to `HEAD_BYTES`); None if it isn't one of these."""
    for beginning, model_format in _BEGINNINGS:
        if head.startswith(beginning):
            return model_format
    if head[4:8] == b"TFL3":
        return TFLITE
    if head[4:8] == b"ORTM":
        return ORT_FORMAT
    if head[257:262] == b"ustar":
        return TAR
    if head.startswith(b"\x1f\x8b"):
        return _inside(head)
    return _document(head) or _message(head)


def foreign_layout(names: Collection[str]) -> Foreign | None:
    """The format of a folder or an archive with these files and folders, given relative to it; a folder's name ends in ``/``."""
    present = set(names) | {f"{name.partition('/')[0]}/" for name in names if "/" in name}
    for needed, model_format in _LAYOUTS:
        if present.issuperset(needed):
            return model_format
    return None


def foreign_folder(folder: Path) -> Foreign | None:
    """The format of a folder, by the names in it."""
    return foreign_layout([f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir()])


def foreign_zip(names: Collection[str]) -> Foreign | None:
    """The format of a zip archive with these members, which may all lie in one folder."""
    inner = [name.partition("/")[2] for name in names if "/" in name]
    found = foreign_layout(names) or foreign_layout([name for name in inner if name])
    return found or (ZIPPED if any(name.lower().endswith(_MODEL_ENDINGS) for name in names) else None)


def _inside(head: bytes) -> Foreign | None:
    """Of gzip: joblib writes it too, so what counts is what is packed."""
    try:
        content = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return None
    if content[257:262] == b"ustar":
        return TAR
    return R_DATA if any(found is R_DATA and content.startswith(beginning) for beginning, found in _BEGINNINGS) else None


def _document(head: bytes) -> Foreign | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text.lower()
    if lower.startswith(b"<"):
        if b"<net " in lower and (b"<layers" in lower or b"version=" in lower):
            return OPENVINO
        return next((found for word, found in _DOCUMENTS if word in lower), None)
    is_mxnet = text.startswith(b"{") and b'"nodes"' in text and b'"op": "null"' in text
    return MXNET if is_mxnet else None


def _message(head: bytes) -> Foreign | None:
    """TensorFlow's and Core ML's messages begin as ONNX does: a version, then field 2, which is a text in ONNX and a message in theirs.

    A message begins with its field 1. In Core ML that is an input, whose field 1 is its name; in TensorFlow facts about the graph.
    """
    if head[:1] != b"\x08" or head[2:3] != b"\x12":
        return None
    at = _after_length(head, 3)
    if head[at : at + 1] != b"\x0a":
        return None
    inner = _after_length(head, at + 1)
    if head[inner : inner + 1] == b"\x0a":
        return CORE_ML
    return SAVED_MODEL if head[1:2] == b"\x01" and head[inner : inner + 1] in _FACTS else None


def _after_length(head: bytes, at: int) -> int:
    while at < len(head) and head[at] & 0x80:
        at += 1
    return at + 1
