"""A seccomp filter: this process and its threads may read files and compute. Every other system call fails.

What isn't listed in `sealift_core.process.syscalls` fails with EPERM: sockets, other programs, other processes, io_uring, mounts,
keys, names and modes of files. What came after Linux 5.1 and isn't listed fails with ENOSYS, as on an older kernel, so that libraries
fall back to what is allowed (clone3 to clone, openat2 to openat). Of the listed ones these take some arguments only:

- open, openat: for reading. Neither write access nor O_CREAT nor O_TRUNC, unless the process has folders to write to; with devices,
  write access but neither O_CREAT nor O_TRUNC.
- clone: threads, not processes, in no other namespace.
- kill, tgkill: to itself. sched_setaffinity, prlimit64: of itself.
- fcntl: not F_SETOWN or F_SETSIG, which send signals, nor locks.
- With devices, what NVIDIA's driver library does when it starts: local sockets that it listens on (it connects to none), files in memory.
- ioctl: is it a terminal, how much can be read, block, close on exec; all of them where devices are given.
- prctl: names of threads and mappings, and questions.

Source: https://docs.kernel.org/userspace-api/seccomp_filter.html. The program is classic BPF, built here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from sealift_core.process.kernel import prctl, syscall
from sealift_core.process.syscalls import COMPUTING, DRIVING, LIMITED, READING, SECCOMP, WRITING

#: machine → its column in `syscalls`, its AUDIT_ARCH
ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
#: From here on an unknown call is one that came after Linux 5.0.
_NEWER: Final = 424

Instruction = tuple[int, int, int, int]
_LOAD, _RETURN = 0x20, 0x06  # BPF_LD | BPF_W | BPF_ABS, BPF_RET | BPF_K
_EQUAL, _GREATER, _AT_LEAST, _ANY_BIT = 0x15, 0x25, 0x35, 0x45
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
DENY: Final = _ERRNO | errno.EPERM
ABSENT: Final = _ERRNO | errno.ENOSYS

_CREATES: Final = os.O_CREAT | os.O_TRUNC
_CLONE_THREAD, _CLONE_NAMESPACES = 0x00010000, 0x7E020000
_AF_UNIX: Final = 1
_FCNTL: Final = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC
_IOCTL: Final = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_PRCTL: Final = (3, 15, 16, 21, 23, 27, 39, 51, 64, 0x53564D41)  # PR_GET_…, PR_SET_NAME, PR_CAPBSET_READ, PR_SVE_GET_VL, PR_SME_GET_VL, PR_SET_VMA

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_SET_MODE_FILTER, _TSYNC, _SPEC_ALLOW = 1, 1, 4


def program(machine: str, pid: int, *, writes: bool = False, devices: bool = False) -> bytes:
    """Build the filter for an architecture and a process.

    Args:
        machine: One of `ARCHITECTURES`.
        pid: The id of the process, which may send signals to itself.
        writes: Whether it has folders to write to.
        devices: Whether it has devices to drive.

    Returns:
        An array of ``struct sock_filter``.

    Raises:
        KeyError: If ``machine`` is any other.
    """
    column, arch = ARCHITECTURES[machine]
    rules = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    tables = [COMPUTING, READING, *([WRITING] if writes else []), *([DRIVING] if devices else [])]
    rules += _allowed(number for table in tables for numbers in table.values() if (number := numbers[column]) is not None)
    for name, block in _limited(pid, writes=writes, devices=devices).items():
        number = LIMITED[name][column]
        if number is not None:
            rules += [(_EQUAL, 0, len(block), number), *block]
    rules += [(_AT_LEAST, 0, 1, _NEWER), (_RETURN, 0, 0, ABSENT), (_RETURN, 0, 0, DENY)]
    return b"".join(struct.pack("=HBBI", *rule) for rule in rules)


def apply(code: bytes, *, flags: bool = True) -> bool:
    """Filter this process. no_new_privs has to be set.

    Args:
        code: What `program` built.
        flags: Whether to filter all threads (there should be one only), and not to slow speculation down, which kernels before 5.16 do to filtered
            processes: everything in this process belongs together, and its speed may be what is measured. This needs seccomp(2), which a service's
            own filter may forbid.

    Returns:
        False if the kernel has no filters.

    Raises:
        OSError: If the kernel refuses.
    """
    kept = ctypes.create_string_buffer(code, len(code))
    filtering = struct.pack("@HP", len(code) // 8, ctypes.addressof(kept))
    for chosen in (_TSYNC | _SPEC_ALLOW, _TSYNC) if flags else ():
        try:
            syscall(SECCOMP[ARCHITECTURES[platform.machine()][0]], _SET_MODE_FILTER, chosen, filtering)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EPERM):
                raise
        else:
            return True
    held = ctypes.create_string_buffer(filtering, len(filtering))
    try:
        prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(held))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOSYS):  # built without filters
            return False
        raise
    return True


def supported() -> bool:
    """Tell whether this is a machine whose numbers are known: a 64-bit process on Linux, on x86-64 or arm64."""
    return sys.platform == "linux" and platform.machine() in ARCHITECTURES and struct.calcsize("P") == 8


def _allowed(numbers: Iterable[int]) -> list[Instruction]:
    """Return ALLOW for the numbers, as ranges."""
    rules: list[Instruction] = []
    for first, last in _ranges(sorted(set(numbers))):
        single = first == last
        rules += [(_EQUAL, 0, 1, first)] if single else [(_AT_LEAST, 0, 2, first), (_GREATER, 1, 0, last)]
        rules.append((_RETURN, 0, 0, _ALLOW))
    return rules


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def _limited(pid: int, *, writes: bool, devices: bool) -> dict[str, list[Instruction]]:
    """For each call that takes some arguments only, what decides. Every block ends in a verdict."""
    forbidden = 0 if writes else _CREATES if devices else _CREATES | os.O_WRONLY | os.O_RDWR
    threads = [_argument(0), (_ANY_BIT, 2, 0, _CLONE_NAMESPACES), (_ANY_BIT, 0, 1, _CLONE_THREAD), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, DENY)]
    return {
        "open": _without(1, forbidden),
        "openat": _without(2, forbidden),
        "clone": threads,
        "fcntl": _one_of(1, _FCNTL),
        "ioctl": [(_RETURN, 0, 0, _ALLOW)] if devices else _one_of(1, _IOCTL),
        "prctl": _one_of(0, _PRCTL),
        "prlimit64": _one_of(0, (0, pid)),
        "sched_setaffinity": _one_of(0, (0, pid)),
        "socket": _one_of(0, (_AF_UNIX,) if devices else ()),
        "kill": _one_of(0, (pid,)),
        "tgkill": _one_of(0, (pid,)),
    }


def _argument(index: int) -> Instruction:
    """Load the low half of an argument; both kinds of machine are little-endian, and the kernel reads no more of these."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _without(index: int, bits: int) -> list[Instruction]:
    return [_argument(index), (_ANY_BIT, 0, 1, bits), (_RETURN, 0, 0, DENY), (_RETURN, 0, 0, _ALLOW)]


def _one_of(index: int, values: Sequence[int]) -> list[Instruction]:
    rules = [_argument(index)]
    for value in values:
        rules += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*rules, (_RETURN, 0, 0, DENY)]
