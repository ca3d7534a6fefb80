"""What an ONNX file says of its weights, checked before any of them is read: shapes, bytes, and where external ones lie."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import onnx

from sealift_core.bundle.shapes import MAX_DIMENSION
from sealift_packager.errors import SourceModelError
from sealift_packager.graph.tensors import is_reference, size_bytes
from sealift_packager.graph.walk import all_tensors
from sealift_packager.model.source import WeightPlace

_BITS: Final[dict[int, int]] = {onnx.TensorProto.INT4: 4, onnx.TensorProto.UINT4: 4, onnx.TensorProto.FLOAT4E2M1: 4}


def check_weights(model: onnx.ModelProto, path: Path, place: WeightPlace) -> int:
    """Return the bytes of all weights, and check them in this order; `SourceModelError` names the tensor.

    1. No dimension is negative or beyond 2^31 - 1, and the element type is one that ONNX has.
    2. Bytes in the file are as many as type and shape need.
    3. External bytes lie in a plain file beside the model or in a folder there, links followed, and wholly inside it.
    4. All weights together are at most ``place.total_bytes``.
    """
    total = 0
    for tensor in all_tensors(model):
        where = f"{path}: {tensor.name or 'a constant'}"
        size = _size_bytes(tensor, where)  # 1
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _check_external(tensor, size, path, where)  # 3
        elif tensor.HasField("raw_data") and size is not None and len(tensor.raw_data) != size:  # 2
            found = f"{len(tensor.raw_data):,} bytes"
            raise SourceModelError("a weight's bytes don't fit its shape", where=where, expected=_needed(tensor, size), found=found)
        total += size or 0
    if total > place.total_bytes:  # 4
        raise _too_large(
            total, f"at most {place.total_bytes >> 20:,} MiB", path, "Store weights as float16 or int8 before packing, or split the model."
        )
    return total


def check_inline(model: onnx.ModelProto, path: Path, place: WeightPlace) -> None:
    """Refuse a graph that still holds more weights itself than one protobuf message can."""
    total = sum(size_bytes(tensor) for tensor in all_tensors(model) if not is_reference(tensor))
    if total > place.inline_bytes:
        expected = f"at most {place.inline_bytes >> 20:,} MiB that can't stay in separate files, the limit of one protobuf message"
        raise _too_large(total, expected, path, "Store weights as external data: onnx.save(…, save_as_external_data=True).")


def _too_large(total: int, expected: str, path: Path, advice: str) -> SourceModelError:
    return SourceModelError("the weights are too large", where=str(path), expected=expected, found=f"{total >> 20:,} MiB", advice=advice)


def _needed(tensor: onnx.TensorProto, size: int) -> str:
    return f"{size} bytes for {onnx.TensorProto.DataType.Name(tensor.data_type)} {list(tensor.dims)}"


def _size_bytes(tensor: onnx.TensorProto, where: str) -> int | None:
    """The bytes that the values need; None for text, because its shape doesn't say."""
    wrong = [size for size in tensor.dims if not 0 <= size <= MAX_DIMENSION]
    if wrong:
        raise SourceModelError("a weight's shape is impossible", where=where, expected=f"dimensions of 0 to {MAX_DIMENSION}", found=str(wrong[0]))
    if tensor.data_type == onnx.TensorProto.STRING:
        return None
    bits = _BITS.get(tensor.data_type)
    try:
        bits = bits or int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize) * 8
    except KeyError as error:
        raise SourceModelError("a weight's element type is not one of ONNX", where=where, found=str(tensor.data_type)) from error
    return (math.prod(int(size) for size in tensor.dims) * bits + 7) // 8


def _check_external(tensor: onnx.TensorProto, size: int | None, path: Path, where: str) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.parent.resolve()
    if not location or "\0" in location or len(entries) != len(tensor.external_data):
        raise SourceModelError("external weights name no file", where=where, expected="the name of a file beside the model")
    try:
        target = (folder / location).resolve()
        is_file = target.is_file()
    except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle
        raise SourceModelError("external weights name no file", where=where, expected="the name of a file beside the model") from error
    if Path(location).is_absolute() or ".." in Path(location).parts or "\\" in location or not target.is_relative_to(folder):
        raise SourceModelError("external weights lie outside the model's folder", where=where, found=f"{location!r:.200}")
    if target in (path.resolve(), folder / path.name):
        raise SourceModelError("external weights in the graph's own file", where=where, expected="a file beside it")
    if not is_file:
        raise SourceModelError("external weights are missing", where=where, expected=str(target))
    offset, length = (_number(entries, key, where) for key in ("offset", "length"))
    file_bytes = target.stat().st_size
    start = offset or 0
    if size is not None and length is not None and length != size:
        raise SourceModelError("external weights don't fit their shape", where=where, expected=_needed(tensor, size), found=f"length {length}")
    end = start + (size or 0 if length is None else length)
    if end > file_bytes:
        raise SourceModelError(
            "external weights lie beyond the end of their file",
            where=where,
            expected=f"bytes {start} to {end} of {target}",
            found=f"a file of {file_bytes:,} bytes. Is it cut off?",
        )


def _number(entries: dict[str, str], key: str, where: str) -> int | None:
    text = entries.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise SourceModelError(f"the {key} of external weights is not a number of bytes", where=where, found=repr(text[:40]))
    return int(text)
