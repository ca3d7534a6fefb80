"""Which files of a repository are public, and which of their bytes are asked for.

Only the names that the repository's format knows are served, and only regular files: whatever else lies in the directory (keys,
dotfiles, a listing, a link to any of those or out of it) is as if it weren't there.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

from sealift_core import beneath
from sealift_core.errors import IntegrityError

_BLOB: Final = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_DOCUMENT: Final = re.compile(r"oci-layout|index\.json|metadata/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}\.json")
_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class UnsatisfiableRangeError(ValueError):
    """A Range begins behind the end of the file."""


def blob_digest(path: str) -> str | None:
    """The digest (hex) of the blob that a path names, or None if it doesn't name one."""
    match = _BLOB.fullmatch(path)
    return match[1] if match else None


def open_public(root: Path, path: str) -> io.BufferedReader | None:
    """The file behind a public path, to read, or None; ``root`` may be a link, nothing beneath it may.

    Raises ``OSError`` for one that is there and can't be read.
    """
    if not (_BLOB.fullmatch(path) or _DOCUMENT.fullmatch(path)):
        return None
    try:
        return beneath.open_file(root, *path.split("/"))
    except (FileNotFoundError, NotADirectoryError, IntegrityError):
        return None


def byte_range(header: str | None, size: int) -> range | None:
    """The bytes that a Range header asks for, None for the whole file (no, a malformed, or a multiple range: RFC 9110, 14.2).

    Raises `UnsatisfiableRangeError`.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return None
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
        if match[2] and int(match[2]) < first:
            return None
    if first > last:
        raise UnsatisfiableRangeError(f"bytes */{size}")
    return range(first, last + 1)
