"""A graph's weights, in the graph itself or in a file beside it.

protobuf holds no message of 2 GiB. A graph whose weights are more *refers* to them: an initializer is ONNX external data whose ``location`` is the
absolute path of a file, which is mapped where somebody reads it. The graph is then small whatever its weights are; copying, tidying and shape
inference cost nothing. Only initializers of the outermost graph are references. `session` and `weights` resolve them; nothing else may
serialize such a graph, because its paths mean nothing elsewhere.
"""

from __future__ import annotations

import functools
import hashlib
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from sealift_packager.graph.walk import all_tensors
from sealift_packager.model.source import Array

#: Smaller tensors are always in the graph: they are shapes and scales, which shape inference reads.
SMALL_BYTES: Final = 1024
_CHUNK_BYTES: Final = 2**20
#: Element types that numpy knows and onnxruntime takes from it as they are.
_PLAIN: Final = frozenset("fiub")


def is_reference(tensor: onnx.TensorProto) -> bool:
    """Whether the values are in a file."""
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def refers(model: onnx.ModelProto) -> bool:
    """Whether any weights of the graph are in files."""
    return any(is_reference(tensor) for tensor in model.graph.initializer)


def references(model: onnx.ModelProto) -> Iterator[tuple[str, Array]]:
    """Name and values, mapped, of each weight in a file."""
    return ((tensor.name, values(tensor)) for tensor in model.graph.initializer if is_reference(tensor))


def size_bytes(tensor: onnx.TensorProto) -> int:
    """What the values take as raw bytes; 0 for text."""
    if tensor.data_type == onnx.TensorProto.STRING:
        return 0
    if is_reference(tensor):
        return int(_entries(tensor)["length"])
    return len(tensor.raw_data) if tensor.HasField("raw_data") else len(raw(tensor))


def model_bytes(model: onnx.ModelProto) -> int:
    """Graph and weights, as if these were inside: where files lie doesn't count."""
    inside = int(model.ByteSize())
    if refers(model):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        for tensor in copy.graph.initializer:
            del tensor.external_data[:]
        inside = int(copy.ByteSize())  # a place counts in the lengths around it too
    return inside + sum(size_bytes(tensor) for tensor in model.graph.initializer if is_reference(tensor))


def values(tensor: onnx.TensorProto, folder: Path | None = None) -> Array:
    """The values: read only and mapped where they are in a file, whose place is absolute or within ``folder``."""
    if not is_reference(tensor):
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    if not _is_plain(tensor):
        return np.asarray(onnx.numpy_helper.to_array(tensor, str(folder or "")))
    dtype, shape = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type), tuple(tensor.dims)
    if not math.prod(shape):
        return np.zeros(shape, dtype)
    entries = _entries(tensor)
    path = (folder or Path()) / entries["location"]
    return np.memmap(path, dtype, mode="r", offset=int(entries.get("offset", 0)), shape=shape)


def raw(tensor: onnx.TensorProto) -> bytes | memoryview:
    """A tensor's bytes as external data holds them; empty for text, which has none."""
    if tensor.data_type == onnx.TensorProto.STRING:
        return b""
    if is_reference(tensor):
        return values(tensor).reshape(-1).view(np.uint8).data
    return bytes(tensor.raw_data) if tensor.HasField("raw_data") else values(tensor).tobytes()


def bytes_by_content(model: onnx.ModelProto) -> bytes:
    """What tells graphs apart: the graph, with a digest in place of each weight in a file; where files lie doesn't count. Raises ``OSError``."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in filter(is_reference, copy.graph.initializer):
        entries = _entries(tensor)
        path, length = Path(entries["location"]), int(entries["length"])
        status = path.stat()
        digest = _range_digest(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns), int(entries.get("offset", 0)), length)
        refer(tensor, digest, 0, length)
    return bytes(copy.SerializeToString(deterministic=True))


@functools.lru_cache(maxsize=2**16)
def _range_digest(path: Path, _state: tuple[int, ...], offset: int, length: int) -> str:
    """Of some bytes of a file that is in ``_state``. Several stages of a build are made from the same weights: they are read once."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(offset)
        while length and (chunk := file.read(min(length, _CHUNK_BYTES))):
            total.update(chunk)
            length -= len(chunk)
    return total.hexdigest()


def refer(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    """Make an initializer external data, in place."""
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(field)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


def refer_to_files(model: onnx.ModelProto, folder: Path) -> None:
    """Of a model that was read without its external data: large initializers become references, everything else is read; in place.

    ``folder`` is where the model's file lies. The places must have been checked (`onnx.weights.check_weights`).
    """
    large = {tensor.name for tensor in model.graph.initializer if is_reference(tensor) and _is_plain(tensor) and _full_bytes(tensor) >= SMALL_BYTES}
    for tensor in model.graph.initializer:
        if tensor.name in large:
            entries = _entries(tensor)
            refer(tensor, str((folder / entries["location"]).resolve()), int(entries.get("offset", 0)), _full_bytes(tensor))
    for tensor in all_tensors(model):
        if is_reference(tensor) and tensor.name not in large:
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]


class WeightFile:
    """A new file in ``folder`` for the weights of a graph that refers to them."""

    def __init__(self, folder: Path) -> None:
        with tempfile.NamedTemporaryFile(dir=folder, prefix="weights.", suffix=".bin", delete=False) as file:
            self.path = Path(file.name)

    def add(self, values: Array, name: str) -> onnx.TensorProto:
        """The initializer of that name, a reference if it isn't small."""
        if values.nbytes < SMALL_BYTES or values.dtype.kind not in _PLAIN:
            return onnx.numpy_helper.from_array(values, name)
        tensor = onnx.TensorProto(name=name, dims=values.shape, data_type=onnx.helper.np_dtype_to_tensor_dtype(values.dtype))
        with self.path.open("ab") as file:
            file.write(bytes(-file.tell() % values.itemsize))
            offset = file.tell()
            file.write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        refer(tensor, str(self.path), offset, values.nbytes)
        return tensor


def make_tensor(values: Array, name: str, file: WeightFile | None) -> onnx.TensorProto:
    """An initializer: in the file if there is one, else with its values inside."""
    return file.add(values, name) if file else onnx.numpy_helper.from_array(values, name)


def file_beside(model: onnx.ModelProto, folder: Path) -> WeightFile | None:
    """A file for new weights of a graph that refers to its own; None for one that holds them."""
    return WeightFile(folder) if refers(model) else None


def _is_plain(tensor: onnx.TensorProto) -> bool:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return dtype.kind in _PLAIN and dtype.isbuiltin == 1


def _full_bytes(tensor: onnx.TensorProto) -> int:
    return int(math.prod(tensor.dims)) * int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}
