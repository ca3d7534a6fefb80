"""Detecting a machine, this one and made-up ones below another root."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from sealift_core.errors import HardwareError
from sealift_core.hardware import machine as machine_module
from sealift_core.hardware.machine import detect_machine

CORPUS = Path(__file__).parents[2] / "corpus" / "cpuinfo"


def root_with(tmp_path: Path, cpuinfo: str, meminfo: str = "MemTotal:        4000000 kB\n") -> Path:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    (tmp_path / "proc/meminfo").write_text(meminfo)
    return tmp_path


def test_this_machine_is_detected() -> None:
    machine = detect_machine()
    assert machine.arch == platform.machine()
    assert machine.cpu_flags
    assert 1 <= machine.cores <= len(os.sched_getaffinity(0))
    assert machine.memory_bytes > 2**20
    assert machine.os.startswith("linux ")


def test_memory_is_the_total_without_a_limit_and_the_limit_with_one(tmp_path: Path) -> None:
    root = root_with(tmp_path, (CORPUS / "arm-cortex-a72.txt").read_text())
    assert detect_machine(root).memory_bytes == 4_000_000 * 1024
    (root / "proc/self/cgroup").write_text("0::/\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory.max").write_text("1000000\n")
    assert detect_machine(root).memory_bytes == 1_000_000


def test_part_of_a_core_counts_as_one_core(tmp_path: Path) -> None:
    root = root_with(tmp_path, (CORPUS / "arm-cortex-a72.txt").read_text())
    (root / "proc/self/cgroup").write_text("0::/\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu.max").write_text("50000 100000\n")
    assert detect_machine(root).cores == 1


def test_the_board_names_a_machine_whose_processor_is_nameless(tmp_path: Path) -> None:
    root = root_with(tmp_path, "processor : 0\nFeatures : fp asimd\n")
    assert detect_machine(root).cpu_model == "unknown processor"
    (root / "proc/device-tree").mkdir()
    (root / "proc/device-tree/model").write_bytes(b"Some Gateway Rev 2\0")
    assert detect_machine(root).cpu_model == "Some Gateway Rev 2"


def test_without_proc_the_error_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="expected Linux with /proc mounted"):
        detect_machine(tmp_path)


def test_a_meminfo_without_a_total_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="the size of the memory"):
        detect_machine(root_with(tmp_path, "", meminfo="MemFree: 1 kB\n"))


@pytest.mark.parametrize(
    ("machine", "bits", "expected"),
    [
        ("x86_64", 64, "x86_64"),
        ("AMD64", 64, "x86_64"),
        ("arm64", 64, "aarch64"),
        ("riscv64", 64, "riscv64"),
        ("aarch64", 32, "aarch64 (32-bit process)"),
    ],
)
def test_architectures_are_named_as_linux_names_them(machine: str, bits: int, expected: str) -> None:
    assert machine_module._architecture(machine, pointer_bits=bits) == expected
