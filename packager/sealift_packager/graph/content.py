"""What a file or a folder is, by content."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Sequence
from pathlib import Path

from sealift_core.bundle.digest import Digest
from sealift_packager.graph.walk import all_tensors


def content_digest(path: Path) -> Digest:
    """Of a file, or of a folder with everything in it (names count, times don't; folders count where they are empty); raises ``OSError``."""
    if not path.is_dir():
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "not a plain file", str(path))  # a pipe or a device might never end
        return Digest.of_file(path)
    total = hashlib.sha256()
    for file in sorted(entry for entry in path.rglob("*") if entry.is_file() or (entry.is_dir() and not any(entry.iterdir()))):
        if file.is_dir():
            total.update(f"{file.relative_to(path).as_posix()}/\n".encode(errors="surrogateescape"))
            continue
        total.update(f"{file.relative_to(path).as_posix()}\0{Digest.of_file(file).hex}\n".encode(errors="surrogateescape"))
    return Digest(total.hexdigest())


def model_digest(path: Path) -> Digest:
    """Of a model file with the external weights that it names; raises ``OSError``."""
    digest = content_digest(path)
    if path.is_dir():
        return digest
    return with_weights(digest, [(file, content_digest(file)) for file in _external(path)])


def with_weights(graph: Digest, weights: Sequence[tuple[Path, Digest]]) -> Digest:
    """The digest of a graph with the files of its weights, which stand in the order of their paths."""
    if not weights:
        return graph
    total = hashlib.sha256(str(graph).encode())
    for file, digest in weights:
        total.update(f"\n{file.name}\0{digest}".encode())
    return Digest(total.hexdigest())


def _external(path: Path) -> list[Path]:
    """Files beside an ONNX graph that hold its weights."""
    with path.open("rb") as file:
        if file.read(1) != b"\x08":  # see `model.detect`
            return []
    import onnx

    folder = path.parent.resolve()  # loading refuses what lies elsewhere; it isn't even read
    try:
        tensors = all_tensors(onnx.load(path, load_external_data=False))
        external = (tensor.external_data for tensor in tensors if tensor.data_location == onnx.TensorProto.EXTERNAL)
        places = {(folder / entry.value).resolve() for entries in external for entry in entries if entry.key == "location"}
    except Exception:  # noqa: BLE001  # not ONNX after all, or cut off: loading it will say so
        return []
    return sorted(place for place in places if place.is_relative_to(folder) and place.is_file())
