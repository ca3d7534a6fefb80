"""model.onnx and its shards: weights leave the graph once they exceed 4 MiB."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import onnx

from sealift_packager.convert.graph import copy_of
from sealift_runtime.bundle import files

INLINE_LIMIT_BYTES: Final = 4 * 2**20
SHARD_BYTES: Final = 16 * 2**20
PAGE_BYTES: Final = 4096
#: Smaller tensors stay in the graph: they are shapes and scales, which shape inference reads.
SMALL_TENSOR_BYTES: Final = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where one tensor lies."""

    shard: int
    offset: int


def place(sizes: Sequence[int]) -> list[Placement]:
    """Tensors in their order, each on a page of its own, in shards of at most 16 MiB; a larger one has its own. Pure."""
    places: list[Placement] = []
    shard, end = 0, 0
    for size in sizes:
        offset = _page(end)
        if places and offset + size > SHARD_BYTES:
            shard, offset = shard + 1, 0
        places.append(Placement(shard=shard, offset=offset))
        end = offset + size
    return places


def _page(offset: int) -> int:
    return -(-offset // PAGE_BYTES) * PAGE_BYTES


def write_model(model: Any, directory: Path) -> None:
    """Write ``model.onnx``, and ``weights/…`` if there is enough; the model itself stays as it is."""
    result = copy_of(model)
    if sum(len(_raw(row)) for row in result.graph.initializer) > INLINE_LIMIT_BYTES:
        _write_shards([row for row in result.graph.initializer if len(_raw(row)) >= SMALL_TENSOR_BYTES], directory)
    (directory / files.GRAPH).write_bytes(result.SerializeToString(deterministic=True))


def _write_shards(tensors: Iterable[Any], directory: Path) -> None:
    rows = [(row, _raw(row)) for row in tensors]
    for (row, data), position in zip(rows, place([len(data) for _, data in rows]), strict=True):
        name = files.weights_file(position.shard)
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            file.write(bytes(position.offset - file.tell()))
            file.write(data)
        _point(row, name, position.offset, len(data))


def _raw(tensor: Any) -> bytes:
    """A tensor's bytes as external data holds them; empty for text, which has none."""
    if tensor.data_type == onnx.TensorProto.STRING:
        return b""
    return bytes(tensor.raw_data) if tensor.HasField("raw_data") else onnx.numpy_helper.to_array(tensor).tobytes()


def _point(tensor: Any, location: str, offset: int, length: int) -> None:
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(field)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
