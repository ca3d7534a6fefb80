"""The format of a model file, found from its content: a name proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sealift_core.errors import nearest
from sealift_packager.archives.directory import read_directory
from sealift_packager.archives.own_copy import ARCHIVE, open_plain
from sealift_packager.archives.refusals import Refusals
from sealift_packager.errors import SourceModelError
from sealift_packager.model.foreign import HEAD_BYTES, Foreign, foreign_file, foreign_folder, foreign_zip

SCIKIT: Final = "scikit-learn"
TORCH_PROGRAM: Final = "torch-program"
TORCH_SCRIPT: Final = "torchscript"
TORCH_STATE: Final = "torch-state"
ONNX: Final = "onnx"
SKOPS: Final = "skops"
XGBOOST: Final = "xgboost"
LIGHTGBM: Final = "lightgbm"
CATBOOST: Final = "catboost"
#: Models of torch, which are asked with the types of their inputs alone.
TORCH_FORMATS: Final = (TORCH_PROGRAM, TORCH_SCRIPT, TORCH_STATE)
FORMATS: Final = (SCIKIT, SKOPS, XGBOOST, LIGHTGBM, CATBOOST, TORCH_PROGRAM, TORCH_SCRIPT, TORCH_STATE, ONNX)
EXPECTED: Final = (
    "scikit-learn (joblib, pickle, skops), XGBoost (.json, .ubj), LightGBM (.txt), CatBoost (.cbm), torch (.pt2, "
    "TorchScript, a state dict as .pt or .safetensors), or ONNX"
)

#: How joblib's compressors begin: zlib, gzip, bzip2, xz, lzma, lz4.
_COMPRESSED: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00\x00", b"\x04\x22\x4d\x18")
#: Of pickles, which a byte 0x80 stands before.
_PROTOCOLS: Final = (b"\x02", b"\x03", b"\x04", b"\x05")
#: A pickle of torch's magic number: its format before it became a zip archive.
_OLD_TORCH: Final = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"


def check_format(model_format: str) -> str:
    """``model_format`` itself if it is one of `FORMATS`; else `SourceModelError` with the nearest one."""
    if model_format not in FORMATS:
        advice = nearest(model_format, FORMATS)
        raise SourceModelError("unknown model format", where="--format", expected=", ".join(FORMATS), found=repr(model_format), advice=advice)
    return model_format


def format_of(path: Path, chosen: str | None) -> str:
    """The ``chosen`` format where somebody chose one, else the one that the content shows."""
    if chosen is None:
        return detect_format(path)
    check_exists(path, chosen)
    return check_format(chosen)


def check_exists(path: Path, chosen: str | None) -> None:
    """Raise `SourceModelError` where there is no file. A folder of another format is named as such, unless a format was ``chosen``."""
    if chosen is None and path.is_dir() and (foreign := foreign_folder(path)):
        raise _of_another_format(foreign, path)
    if path.is_dir() or not path.exists():
        expected = EXPECTED if chosen is None else "a file"
        raise SourceModelError("no such model file", where=str(path), expected=expected, found="a directory" if path.is_dir() else "nothing")


def detect_format(path: Path) -> str:  # noqa: C901  (one line per magic number)
    """One of `FORMATS`; `SourceModelError` if the file is missing, empty, cut off, or something else."""
    check_exists(path, None)
    with open_plain(path, SourceModelError) as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise SourceModelError("the model file is empty", where=str(path), expected=EXPECTED)
    if head.startswith(ARCHIVE):
        return _format_of_zip(path)
    if foreign := foreign_file(head):
        raise _of_another_format(foreign, path)
    head = head[:64]
    if head.startswith(b"CBM1"):
        return CATBOOST
    if head.startswith((b"tree\n", b"tree\r\n")):
        return LIGHTGBM
    if b"learner" in head and head[:1] == b"{":
        return XGBOOST
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**32:
        return TORCH_STATE
    if head[:1] == b"\x80" and _OLD_TORCH in head:
        return TORCH_STATE
    if (head[:1] == b"\x80" and head[1:2] in _PROTOCOLS) or head.startswith(_COMPRESSED):
        return SCIKIT
    if head[:1] == b"\x08" and head[1:2].isascii() and len(head) > 1:  # a protobuf whose first field is ir_version
        return ONNX
    raise SourceModelError(
        "not a model file in a supported format", where=str(path), expected=EXPECTED, found=f"a file that begins with the bytes {head[:8].hex(' ')}"
    )


def _format_of_zip(path: Path) -> str:
    with open_plain(path, SourceModelError) as file:
        members = read_directory(file, Refusals(where=str(path))).members
    names = [member.name.partition("/")[2] or member.name for member in members]
    if "archive_format" in names or "serialized_exported_program.json" in [name.rpartition("/")[2] for name in names]:
        return TORCH_PROGRAM
    if "constants.pkl" in names:
        return TORCH_SCRIPT
    if "data.pkl" in names:
        return TORCH_STATE
    if "schema.json" in names:
        return SKOPS
    if foreign := foreign_zip([member.name for member in members]):
        raise _of_another_format(foreign, path)
    content = "a NumPy archive (is it the data?)" if any(name.endswith(".npy") for name in names) else "a zip archive of another format"
    raise SourceModelError("not a model file in a supported format", where=str(path), expected=EXPECTED, found=content)


def _of_another_format(foreign: Foreign, path: Path) -> SourceModelError:
    return SourceModelError(f"sealift can't read {foreign.name}", where=str(path), expected=EXPECTED, advice=foreign.advice)
