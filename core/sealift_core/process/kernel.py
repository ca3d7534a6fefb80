"""System calls that Python's library has no function for. Each raises `OSError` with the kernel's number."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *arguments: int) -> int:
    """Change or ask something about this process.

    Source: prctl(2).

    Args:
        option: One of ``PR_…``.
        *arguments: Up to four more.

    Returns:
        What the call returns.

    Raises:
        OSError: If the kernel refuses.
    """
    words = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(_libc().prctl(ctypes.c_int(option), *words))


def syscall(number: int, *arguments: int | bytes | None) -> int:
    """Call a system call by its number.

    Source: syscall(2).

    Args:
        number: The number on this architecture.
        *arguments: Bytes are passed as a pointer to them, None as 0.

    Returns:
        What the call returns.

    Raises:
        OSError: If the kernel refuses.
    """
    words = [ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_long(value or 0) for value in arguments]
    return _checked(_libc().syscall(ctypes.c_long(number), *words))


def capset(header: bytes, data: bytes) -> None:
    """Set this thread's capabilities.

    Source: capset(2).

    Args:
        header: A ``struct __user_cap_header_struct``.
        data: Two of ``struct __user_cap_data_struct`` (version 3).

    Raises:
        OSError: If the kernel refuses.
    """
    _checked(_libc().capset(ctypes.c_char_p(header), ctypes.c_char_p(data)))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
