"""What a file or a folder is, by content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sealift_runtime.bundle.digest import Digest


def content_digest(path: Path) -> Digest:
    """Of a file, or of a folder with everything in it (names count, times don't; folders count where they are empty); raises ``OSError``."""
    if not path.is_dir():
        return Digest.of_file(path)
    total = hashlib.sha256()
    for file in sorted(row for row in path.rglob("*") if row.is_file() or (row.is_dir() and not any(row.iterdir()))):
        if file.is_dir():
            total.update(f"{file.relative_to(path).as_posix()}/\n".encode())
            continue
        total.update(f"{file.relative_to(path).as_posix()}\0{Digest.of_file(file).hex}\n".encode())
    return Digest(total.hexdigest())


def model_digest(path: Path) -> Digest:
    """Of a model file with the external weights that it names; raises ``OSError``."""
    own = content_digest(path)
    beside = _external(path)
    if not beside:
        return own
    total = hashlib.sha256(str(own).encode())
    for file in beside:
        total.update(f"\n{file.name}\0{content_digest(file)}".encode())
    return Digest(total.hexdigest())


def _external(path: Path) -> list[Path]:
    """Files beside an ONNX graph that hold its weights."""
    with path.open("rb") as file:
        if path.is_dir() or file.read(1) != b"\x08":  # see `load.detect`
            return []
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

    try:
        model = onnx.load(path, load_external_data=False)
        names = {ExternalDataInfo(row).location for row in _get_all_tensors(model) if uses_external_data(row)}
    except Exception:  # noqa: BLE001  # not ONNX after all, or cut off: loading it will say so
        return []
    folder = path.parent.resolve()  # loading refuses what lies elsewhere; it isn't even read
    return sorted(found for name in names if (found := (folder / name).resolve()).is_relative_to(folder) and found.is_file())
