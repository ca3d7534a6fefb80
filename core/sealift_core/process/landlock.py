"""Landlock: from a call on, this thread and what it starts reach the named files only, and no TCP port.

Source: https://docs.kernel.org/userspace-api/landlock.html. A kernel tells the version of its interface (ABI); each version can restrict
more. Rights that a kernel doesn't know are left out, which `sealift_core.process.seccomp` makes up for where it can.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from sealift_core.process.kernel import syscall

#: The newest version that this module knows.
NEWEST_ABI: Final = 7
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH: Final = 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
#: For each ABI that added some, the rights over files known from then on: 0 to 12 are from the first.
_FILE_RIGHTS: Final = ((5, 1 << 16), (3, 1 << 15), (2, 1 << 14), (1, 1 << 13))
_READING: Final = _READ_FILE | _READ_DIR
_WRITING: Final = _READING | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER
_DEVICE: Final = _READ_FILE | _WRITE_FILE | _IOCTL_DEV
_OF_FILES: Final = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What is forbidden unless a rule allows it.

    Attributes:
        files: Bits over files (``LANDLOCK_ACCESS_FS_…``).
        network: Bits over TCP: bind and connect.
        scopes: Bits over sockets and processes outside.
    """

    files: int
    network: int
    scopes: int

    def encoded(self, abi: int) -> bytes:
        """Encode the kernel's ``struct landlock_ruleset_attr``.

        Args:
            abi: The version of the interface, which decides how long it is.

        Returns:
            Its bytes.
        """
        return struct.pack("=QQQ", self.files, self.network, self.scopes)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]


def rights(abi: int) -> Rights:
    """Look up all that a version of the interface can forbid.

    Args:
        abi: The version; 0 for none.

    Returns:
        The rights.
    """
    files = next((bits - 1 for since, bits in _FILE_RIGHTS if abi >= since), 0)
    return Rights(files=files, network=0b11 if abi >= 4 else 0, scopes=0b11 if abi >= 6 else 0)


def detect() -> int:
    """Ask the running kernel for its version of the interface.

    Returns:
        The version, at most `NEWEST_ABI`; 0 if it has none, it was switched off, or a filter hides it.

    Raises:
        OSError: If the kernel answers otherwise.
    """
    if sys.platform != "linux":
        return 0
    try:
        return min(syscall(_CREATE, None, 0, _VERSION), NEWEST_ABI)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES):
            return 0
        raise


def restrict(abi: int, *, readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path]) -> None:
    """Shut this thread in. no_new_privs has to be set; paths that don't exist are passed over.

    The descriptors of the rules stay open (they can't read): a file of /proc is another one for the kernel as soon as nobody holds it.

    Args:
        abi: The version of the interface, as `detect` gave it; at least 1.
        readable: Files and folders to read, with all below them.
        writable: Files and folders to read and to write.
        devices: Device nodes to read, write and control.

    Raises:
        OSError: If the kernel refuses.
    """
    handled = rights(abi)
    attributes = handled.encoded(abi)
    ruleset = syscall(_CREATE, attributes, len(attributes), 0)
    try:
        for paths, allowed in ((readable, _READING), (writable, _WRITING), (devices, _DEVICE)):
            for path in paths:
                _allow(ruleset, path, allowed & handled.files)
        syscall(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, allowed: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # nothing there, or nothing for us
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        allowed &= _OF_FILES
    syscall(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, descriptor), 0)


def missing(abi: int) -> Sequence[str]:
    """List what a kernel leaves open of what the newest closes.

    Args:
        abi: The kernel's version of the interface.

    Returns:
        Each gap in words.
    """
    gaps = ((3, "emptying files"), (4, "TCP"), (5, "ioctl on devices"), (6, "abstract sockets and signals"))
    return [what for since, what in gaps if abi < since]
