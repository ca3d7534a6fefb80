"""Whether files fit on a disk or a medium, before the first byte is written."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

from sealift_core.durable import too_large, translate_disk_errors
from sealift_core.errors import DiskFullError


def check_fits(folder: Path, sizes_bytes: Collection[int]) -> None:
    """Check that files of some sizes can be written to a folder: a FAT file system ends at 4 GiB a file, whatever its size.

    Args:
        folder: A folder on the file system in question.
        sizes_bytes: How large the files are that are to be written.

    Raises:
        DiskFullError: If the file system takes no file as large as the largest, or hasn't the room for all.
        StoreError: If nothing can be written there.
    """
    with translate_disk_errors(folder):
        _check_largest(folder, max(sizes_bytes, default=0))
        disk = os.statvfs(folder)
    needed, free = sum(sizes_bytes), disk.f_bavail * disk.f_frsize
    if needed > free:
        advice = "Free some space, or use a larger disk or medium."
        raise DiskFullError("too little free space", where=str(folder), expected=f"{needed:,} bytes", found=f"{free:,} bytes", advice=advice)


def _check_largest(folder: Path, size_bytes: int) -> None:
    """Nothing needs to be written: it is an error to go to a place behind the largest size."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=folder)
    try:
        os.lseek(descriptor, size_bytes, os.SEEK_SET)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EFBIG, errno.EOVERFLOW):
            raise too_large(folder, size_bytes) from error
        raise
    finally:
        os.close(descriptor)
        Path(name).unlink()
