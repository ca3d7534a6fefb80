"""Which files a bundle has, and nothing else: no symlinks, no strangers, no path that leaves the directory."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sealift_core.bundle.limits import LIMITS
from sealift_core.errors import IntegrityError, LimitError

MANIFEST: Final = "bundle.json"
GRAPH: Final = "model.onnx"
GOLDEN: Final = "golden.safetensors"
BASELINE: Final = "baseline.json"
CARD: Final = "MODEL_CARD.md"
SBOM: Final = "sbom.cdx.json"
PROVENANCE: Final = "provenance.json"
SIGNATURE: Final = "model.sig"
REQUIRED: Final = (MANIFEST, GRAPH, GOLDEN, BASELINE, CARD)
OPTIONAL: Final = (SBOM, PROVENANCE, SIGNATURE)
_WEIGHTS = re.compile(r"weights/[0-9]{5,8}\.bin")


def weights_file(number: int) -> str:
    """The path of one shard of external weights."""
    return f"weights/{number:05d}.bin"


def is_weights(name: str) -> bool:
    """Whether a file of this name would be a shard of external weights."""
    return _WEIGHTS.fullmatch(name) is not None


def weight_sizes(directory: Path) -> dict[str, int]:
    """The shards of a bundle directory, with their sizes in bytes; links and special files aren't shards."""
    folder = directory / "weights"
    if folder.is_symlink() or not folder.is_dir():
        return {}
    shards = [entry for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False) and is_weights(f"weights/{entry.name}")]
    return {f"weights/{entry.name}": entry.stat(follow_symlinks=False).st_size for entry in shards}


def check_name(name: str, *, where: str) -> str:
    """``name``, if a bundle may have such a file; else `IntegrityError`. Holds for names read from any document."""
    if name in REQUIRED or name in OPTIONAL or _WEIGHTS.fullmatch(name):
        return name
    raise IntegrityError(
        "not a file of a bundle", where=where, found=repr(name[: LIMITS.path_characters]), advice="A bundle holds nothing beside its listed files."
    )


def max_bytes(name: str) -> int:
    """The most bytes that a bundle's file of this name may have."""
    sizes = {MANIFEST: LIMITS.manifest_bytes, GOLDEN: LIMITS.golden_bytes, BASELINE: LIMITS.baseline_bytes, SIGNATURE: LIMITS.signature_bytes}
    return LIMITS.bundle_bytes if name == GRAPH or _WEIGHTS.fullmatch(name) else sizes.get(name, LIMITS.document_bytes)


def check_sizes(sizes: Mapping[str, int], *, where: str) -> None:
    """Raise `LimitError` for a file that is larger than one of its name may be, or if all of them together are too large."""
    for name, size in sizes.items():
        if size > max_bytes(name):
            raise LimitError("too large", where=f"{where}/{name}", expected=f"at most {max_bytes(name)} bytes", found=f"{size} bytes")
    total = sum(sizes.values())
    if total > LIMITS.bundle_bytes:
        raise LimitError("the bundle is too large", where=where, expected=f"at most {LIMITS.bundle_bytes} bytes", found=f"{total} bytes")


def list_files(directory: Path) -> dict[str, Path]:
    """The files of a bundle directory by their names, sorted by code point.

    Raises `IntegrityError` for a symlink, a special file, a name that isn't a bundle's, or a required file that is
    missing; `LimitError` for too many, or too large ones.
    """
    if not directory.is_dir():
        raise IntegrityError("no such bundle directory", where=str(directory))
    found: dict[str, Path] = {}
    sizes: dict[str, int] = {}
    for folder, folders, names in os.walk(directory):
        for name in (*folders, *names):
            path = Path(folder, name)
            kind = path.lstat().st_mode
            if stat.S_ISLNK(kind) or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise IntegrityError("neither a file nor a directory", where=str(path), advice="A bundle holds no symlinks or special files.")
        for name in names:
            path = Path(folder, name)
            listed = check_name(path.relative_to(directory).as_posix(), where=str(path))
            found[listed], sizes[listed] = path, path.lstat().st_size
            if len(found) > LIMITS.files:
                raise LimitError("too many files", where=str(directory), expected=f"at most {LIMITS.files}")
    for name in REQUIRED:
        if name not in found:
            raise IntegrityError("a file of the bundle is missing", where=str(directory / name))
    check_sizes(sizes, where=str(directory))
    return dict(sorted(found.items()))


def state(directory: Path, *, links: bool = True) -> str:
    """What tells whether any file of a bundle directory was changed or replaced since: for each its inode, size and times, as one digest.

    With ``links`` it counts the time (ctime) that nobody can set back, but that a new or removed hard link moves, too. Bits that a disk loses show in
    neither. Errors as `list_files`.
    """
    facts = hashlib.sha256()
    for name, path in list_files(directory).items():
        row = path.lstat()
        facts.update(f"{name} {row.st_dev} {row.st_ino} {row.st_size} {row.st_mtime_ns} {row.st_ctime_ns if links else 0}\n".encode())
    return facts.hexdigest()
