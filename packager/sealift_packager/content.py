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
