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
    """Name one shard of external weights.

    Args:
        number: The shard's number, from 0.

    Returns:
        Its path within a bundle, like ``weights/00000.bin``.
    """
    return f"weights/{number:05d}.bin"


def is_weights(name: str) -> bool:
    """Tell whether a file of this name would be a shard of external weights.

    Args:
        name: A path within a bundle.

    Returns:
        True for ``weights/`` and five to eight digits.
    """
    return _WEIGHTS.fullmatch(name) is not None


def weight_sizes(directory: Path) -> dict[str, int]:
    """List the shards of a bundle directory; links and special files aren't shards.

    Args:
        directory: The bundle's folder.

    Returns:
        The size in bytes of each shard, by its path within the bundle; empty if there are none.

    Raises:
        OSError: If the folder of weights can't be listed.
    """
    folder = directory / "weights"
    if folder.is_symlink() or not folder.is_dir():
        return {}
    shards = [entry for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False) and is_weights(f"weights/{entry.name}")]
    return {f"weights/{entry.name}": entry.stat(follow_symlinks=False).st_size for entry in shards}


def check_name(name: str, *, where: str) -> str:
    """Check that a bundle may have a file of this name. Holds for names read from any document.

    Args:
        name: A path within a bundle, with ``/``.
        where: What errors call the place where the name stands.

    Returns:
        ``name`` itself.

    Raises:
        IntegrityError: If no bundle has such a file.
    """
    if name in REQUIRED or name in OPTIONAL or _WEIGHTS.fullmatch(name):
        return name
    raise IntegrityError(
        "not a file of a bundle", where=where, found=repr(name[: LIMITS.path_characters]), advice="A bundle may contain only the files that it lists."
    )


def max_bytes(name: str) -> int:
    """Look up how large a file of a bundle may be.

    Args:
        name: A path within a bundle.

    Returns:
        The most bytes that a file of this name may have.
    """
    sizes = {MANIFEST: LIMITS.manifest_bytes, GOLDEN: LIMITS.golden_bytes, BASELINE: LIMITS.baseline_bytes, SIGNATURE: LIMITS.signature_bytes}
    return LIMITS.bundle_bytes if name == GRAPH or _WEIGHTS.fullmatch(name) else sizes.get(name, LIMITS.document_bytes)


def check_sizes(sizes: Mapping[str, int], *, where: str) -> None:
    """Check the sizes of a bundle's files against `LIMITS`.

    Args:
        sizes: The size in bytes of each file, by its path within the bundle.
        where: What errors call the bundle.

    Raises:
        LimitError: If a file is larger than one of its name may be, or all of them together are too large.
    """
    for name, size in sizes.items():
        if size > max_bytes(name):
            raise LimitError("too large", where=f"{where}/{name}", expected=f"at most {max_bytes(name)} bytes", found=f"{size} bytes")
    total = sum(sizes.values())
    if total > LIMITS.bundle_bytes:
        raise LimitError("the bundle is too large", where=where, expected=f"at most {LIMITS.bundle_bytes} bytes", found=f"{total} bytes")


def list_files(directory: Path) -> dict[str, Path]:
    """List the files of a bundle directory.

    Args:
        directory: The bundle's folder.

    Returns:
        Their paths by their names, sorted by code point.

    Raises:
        IntegrityError: If there is a symlink, a special file, or a name that isn't a bundle's, or if a required file or the folder is missing.
        LimitError: If there are too many files, or too large ones.
    """
    if not directory.is_dir():
        raise IntegrityError("no such bundle directory", where=str(directory))
    paths: dict[str, Path] = {}
    sizes: dict[str, int] = {}
    for folder, folders, names in os.walk(directory):
        for name in (*folders, *names):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise IntegrityError("neither a file nor a directory", where=str(path), advice="A bundle may not contain symlinks or special files.")
        for name in names:
            path = Path(folder, name)
            listed = check_name(path.relative_to(directory).as_posix(), where=str(path))
            paths[listed], sizes[listed] = path, path.lstat().st_size
            if len(paths) > LIMITS.files:
                raise LimitError("too many files", where=str(directory), expected=f"at most {LIMITS.files}")
    for name in REQUIRED:
        if name not in paths:
            raise IntegrityError("a file of the bundle is missing", where=str(directory / name))
    check_sizes(sizes, where=str(directory))
    return dict(sorted(paths.items()))


def state(directory: Path, *, links: bool = True) -> str:
    """Describe the files of a bundle directory, so that a later call tells whether any was changed or replaced since.

    Bits that a disk loses don't show.

    Args:
        directory: The bundle's folder.
        links: Whether the time (ctime) counts that nobody can set back, but that a new or removed hard link moves, too.

    Returns:
        The hex SHA-256 over each file's device, inode, size and times.

    Raises:
        IntegrityError: If the folder isn't a bundle's, as for `list_files`.
        LimitError: If there are too many files, or too large ones.
    """
    facts = hashlib.sha256()
    for name, path in list_files(directory).items():
        status = path.lstat()
        facts.update(f"{name} {status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns if links else 0}\n".encode())
    return facts.hexdigest()
