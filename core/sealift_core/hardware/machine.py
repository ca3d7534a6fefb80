"""This machine as a value."""

from __future__ import annotations

import dataclasses
import platform
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sealift_core.errors import HardwareError
from sealift_core.hardware.accelerators import find_accelerators
from sealift_core.hardware.cpuinfo import parse_cpuinfo
from sealift_core.hardware.limits import read_limits, usable_cores

__all__ = ["Machine", "detect_machine", "parse_cpuinfo"]

#: Other systems' names of the two architectures; https://en.wikipedia.org/wiki/Uname has a table.
_ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
#: What every flavour of onnxruntime has.
CPU_ONLY: Final = frozenset({"CPUExecutionProvider"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What profiles are matched against.

    Attributes:
        arch: The architecture of this process, such as ``x86_64`` or ``aarch64``.
        cpu_flags: The processor's flags, as Linux names them.
        cpu_model: The processor's name, for people; nothing is decided by it.
        cores: How many cores this process may use, not how many are built in.
        memory_bytes: How much memory this process may use, not how much is built in.
        os: The kernel and its release, for people; nothing is decided by it.
        accelerators: What is built in beside the processor, of `sealift_core.hardware.profile.ACCELERATORS`.
        providers: What the installed onnxruntime can compute with.
    """

    arch: str
    cpu_flags: frozenset[str]
    cpu_model: str
    cores: int
    memory_bytes: int
    os: str
    accelerators: frozenset[str] = frozenset()
    providers: frozenset[str] = CPU_ONLY


def detect_machine(root: Path = Path("/"), *, providers: Iterable[str] = CPU_ONLY) -> Machine:
    """Look at this machine.

    Args:
        root: Where dev, proc and sys are; ``/`` but in tests.
        providers: The execution providers of the installed onnxruntime, which this package never asks itself.

    Returns:
        The machine.

    Raises:
        HardwareError: If there is no Linux to ask, or it doesn't say how much memory there is.
    """
    try:
        info = parse_cpuinfo((root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
        total_bytes = _total_memory((root / "proc/meminfo").read_text(encoding="utf-8"))
    except OSError as error:
        raise HardwareError("can't detect this machine's hardware", where=str(error.filename), expected="Linux with /proc mounted") from error
    limits = read_limits(root)
    return Machine(
        arch=_architecture(platform.machine(), pointer_bits=64 if sys.maxsize > 2**32 else 32),
        cpu_flags=info.flags,
        cpu_model=info.model or _board(root),
        cores=usable_cores(root),
        memory_bytes=total_bytes if limits.memory_bytes is None else min(total_bytes, limits.memory_bytes),
        os=f"{platform.system().lower()} {platform.release()}",
        accelerators=find_accelerators(root),
        providers=frozenset(providers),
    )


def _architecture(machine: str, *, pointer_bits: int) -> str:
    """The architecture of this process: a 32-bit system on a 64-bit kernel (Raspberry Pi OS) can't load 64-bit code."""
    name = _ARCHITECTURES.get(machine.lower(), machine)
    return name if pointer_bits == 64 else f"{name} (32-bit process)"


def _total_memory(meminfo: str) -> int:
    match = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    if match is None:
        raise HardwareError("can't detect the size of the memory", where="/proc/meminfo", expected="a line MemTotal: … kB")
    return int(match[1]) * 1024


def _board(root: Path) -> str:
    try:
        return (root / "proc/device-tree/model").read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return "unknown processor"
