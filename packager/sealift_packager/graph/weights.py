"""model.onnx and its shards: weights leave the graph once they exceed 4 MiB, or are in files already."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import onnx

from sealift_core.bundle import files
from sealift_packager.graph.graph import copy_of
from sealift_packager.graph.tensors import SMALL_BYTES, is_reference, raw, refer, refers, size_bytes
from sealift_packager.graph.walk import all_tensors

INLINE_LIMIT_BYTES: Final = 4 * 2**20
SHARD_BYTES: Final = 16 * 2**20
PAGE_BYTES: Final = 4096


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


def write_model(model: onnx.ModelProto, directory: Path) -> None:
    """Write ``model.onnx``, and ``weights/…`` if there is enough; the model itself stays as it is."""
    result = copy_of(model)
    _drop_leftovers(result)
    if sum(map(size_bytes, result.graph.initializer)) > INLINE_LIMIT_BYTES or refers(result):
        _write_shards([tensor for tensor in result.graph.initializer if size_bytes(tensor) >= SMALL_BYTES], directory)
    (directory / files.GRAPH).write_bytes(result.SerializeToString(deterministic=True))


def _drop_leftovers(model: onnx.ModelProto) -> None:
    """Fields of a newer ONNX, and places in files that weights had before they were read: devices take neither."""
    model.DiscardUnknownFields()
    for tensor in all_tensors(model):
        if tensor.external_data and not is_reference(tensor):
            del tensor.external_data[:]


def _write_shards(tensors: Iterable[onnx.TensorProto], directory: Path) -> None:
    placed = list(tensors)
    for tensor, position in zip(placed, place([size_bytes(tensor) for tensor in placed]), strict=True):
        name = files.weights_file(position.shard)
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            file.write(bytes(position.offset - file.tell()))
            length = file.write(raw(tensor))
        refer(tensor, name, position.offset, length)
