"""What a process takes of the memory, and a bound on it."""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BLOCK_BYTES: Final = 2**20
_STATM: Final = Path("/proc/self/statm")


def limit_memory(memory_bytes: int) -> None:
    """Bound the private writable memory of this process.

    `RLIMIT_DATA` counts heap and anonymous mappings (since Linux 4.7), thread stacks among them, but neither the address space that
    onnxruntime reserves nor weights that it maps from files, as `RLIMIT_AS` would. Source: getrlimit(2).

    Args:
        memory_bytes: How much more it may have than it has now.

    Raises:
        OSError: If the kernel refuses.
    """
    limit = status_bytes("VmData") + memory_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def give_large_blocks_back() -> None:
    """Have glibc take blocks above 1 MiB from the kernel one by one, and give them back when they are freed.

    Left alone, it takes ever larger blocks (up to 32 MiB) from pools that it keeps, and copies them to make them grow: a process that holds a few
    large bodies and answers then has up to twice their size. Nothing happens with another C library. Source: mallopt(3).
    """
    if sys.platform == "win32":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 8 * _LARGE_BLOCK_BYTES)


def resident_bytes() -> int:
    """Read how much memory this process holds now.

    Returns:
        The size in bytes; 0 where /proc/self/statm isn't there.
    """
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def status_bytes(field: str) -> int:
    """Read a size from /proc/self/status.

    Args:
        field: The line's name, such as ``VmHWM``.

    Returns:
        The size in bytes; 0 where there is none.
    """
    path = Path("/proc/self/status")
    lines = path.read_text(encoding="ascii", errors="replace").splitlines() if path.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)
