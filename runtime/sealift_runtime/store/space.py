"""Is there room on a disk; asked before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from sealift_core.errors import DiskFullError


def free_bytes(directory: Path) -> int:
    """What can still be written to the file system of ``directory``."""
    return shutil.disk_usage(directory).free


def check_space(directory: Path, needed_bytes: int, reserve_bytes: int) -> None:
    """Raise `DiskFullError`, with the numbers, unless ``needed_bytes`` fit and ``reserve_bytes`` stay free."""
    free = free_bytes(directory)
    if needed_bytes and free < needed_bytes + reserve_bytes:
        raise DiskFullError(
            "not enough free space",
            where=str(directory),
            expected=f"{needed_bytes} bytes plus a reserve of {reserve_bytes} bytes",
            found=f"{free} bytes free",
            advice=f"Free at least {needed_bytes + reserve_bytes - free} bytes.",
        )
