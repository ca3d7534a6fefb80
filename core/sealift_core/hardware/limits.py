"""What cgroups (versions 1 and 2) leave a process: memory in bytes, processor time in cores.

A limit may be set at any level, so every group from the process's own up to the root of the mount is asked and the
tightest answer holds. A container often sees its own group as that root, while /proc/self/cgroup may name a path that
exists only outside: then the levels that aren't there are passed over.
Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/{memory,index}.html.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

#: Version 1 writes "no limit" as the largest page-aligned 63-bit number.
_UNLIMITED_V1: Final = 2**62


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CgroupLimits:
    """What cgroups leave a process.

    Attributes:
        memory_bytes: Memory; None where nothing limits it.
        cores: Processor time, in cores; None where nothing limits it.
    """

    memory_bytes: int | None
    cores: float | None


def read_limits(root: Path) -> CgroupLimits:
    """Read the limits of this process.

    Args:
        root: Where proc and sys are; ``/`` but in tests.

    Returns:
        The tightest of all levels.
    """
    memory: list[int] = []
    cores: list[float] = []
    for group in _groups(root):
        memory += _memory(group)
        cores += _cores(group)
    return CgroupLimits(memory_bytes=min(memory, default=None), cores=min(cores, default=None))


def usable_cores(root: Path = Path("/")) -> int:
    """Count the cores that this process may keep busy.

    A thread beyond the quota only makes all of them wait, so parts of a core don't count.

    Args:
        root: Where proc and sys are; ``/`` but in tests.

    Returns:
        The cores, at least one.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = read_limits(root).cores
    return cores if quota is None else max(1, min(cores, int(quota)))


def usable_memory(root: Path = Path("/")) -> int | None:
    """Read how much memory this process may have.

    Args:
        root: Where proc and sys are; ``/`` but in tests.

    Returns:
        The size in bytes: the machine's memory or a smaller limit; None if neither can be read.
    """
    match = re.search(r"^MemTotal:\s+(\d+) kB", _text(root / "proc/meminfo") or "", re.MULTILINE)
    sizes = [int(match[1]) * 1024] if match else []
    limit = read_limits(root).memory_bytes
    return min([*sizes, *([] if limit is None else [limit])], default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The directories of every group that this process is in, own ones first."""
    lines = (_text(root / "proc/self/cgroup") or "").splitlines()
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        names = [controllers, controllers.split(",")[0]] if controllers else ["unified", ""]  # version 2, beside version 1 or alone
        mount = next((mount for name in names if (mount := root / "sys/fs/cgroup" / name).is_dir()), None)
        if mount is not None:
            inside = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
            yield from (mount.joinpath(*inside[:depth]) for depth in range(len(inside), -1, -1))


def _memory(group: Path) -> list[int]:
    texts = [_text(group / name) for name in ("memory.max", "memory.limit_in_bytes")]
    values = [int(text) for text in texts if text is not None and text.isdecimal()]
    return [value for value in values if value < _UNLIMITED_V1]


def _cores(group: Path) -> list[float]:
    both = _text(group / "cpu.max") or f"{_text(group / 'cpu.cfs_quota_us')} {_text(group / 'cpu.cfs_period_us')}"
    words = both.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return []
    return [int(words[0]) / int(words[1])]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None  # this controller or level isn't there, so it doesn't limit
