"""The filter's verdict on every call, worked out by a small machine for classic BPF, for both kinds of processor."""

from __future__ import annotations

import errno
import os
import re
import struct
from pathlib import Path

import pytest

from sealift_core.process import seccomp
from sealift_core.process.syscalls import COMPUTING, DRIVING, LIMITED, READING, SECCOMP, WRITING

PID = 4242
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
MACHINES = pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
HEADERS = {"x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), "aarch64": Path("/usr/include/asm-generic/unistd.h")}


def verdict(machine: str, name: str | int, *arguments: int, arch: int | None = None, **permissions: bool) -> int:
    """What the filter returns; the name of a call that is listed, or a number."""
    column, native = seccomp.ARCHITECTURES[machine]
    tables = COMPUTING | READING | WRITING | DRIVING | LIMITED
    number = name if isinstance(name, int) else tables[name][column]
    assert number is not None
    data = struct.pack("=IIQ6Q", number, arch or native, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    code = seccomp.program(machine, PID, **permissions)
    rules = [struct.unpack_from("=HBBI", code, offset) for offset in range(0, len(code), 8)]
    accumulator, place = 0, 0
    tests = {0x15: lambda a, k: a == k, 0x25: lambda a, k: a > k, 0x35: lambda a, k: a >= k, 0x45: lambda a, k: a & k != 0}
    while True:
        operation, yes, no, value = rules[place]
        place += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x06:
            return int(value)
        else:
            place += yes if tests[operation](accumulator, value) else no


@MACHINES
def test_what_computes_and_reads_is_allowed(machine: str) -> None:
    column, _ = seccomp.ARCHITECTURES[machine]
    for numbers in (COMPUTING | READING).values():
        number = numbers[column]
        assert number is None or verdict(machine, number) == ALLOW


@MACHINES
def test_every_other_call_fails(machine: str) -> None:
    column, _ = seccomp.ARCHITECTURES[machine]
    listed = {numbers[column] for numbers in (COMPUTING | READING | LIMITED).values()}
    for number in range(600):
        if number not in listed:
            assert verdict(machine, number) == (EPERM if number < 424 else ENOSYS)
        assert verdict(machine, number + 0x40000000) == ENOSYS, "x32"


@MACHINES
def test_another_architecture_is_killed(machine: str) -> None:
    assert verdict(machine, "read", arch=0x40000003) == KILL


@MACHINES
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (os.O_RDONLY, ALLOW),
        (os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY, ALLOW),
        (os.O_PATH, ALLOW),
        (os.O_WRONLY, EPERM),
        (os.O_RDWR, EPERM),
        (3, EPERM),
        (os.O_RDONLY | os.O_CREAT, EPERM),
        (os.O_RDONLY | os.O_TRUNC, EPERM),
        (os.O_RDWR | os.O_TMPFILE, EPERM),
    ],
)
def test_files_are_opened_for_reading_alone(machine: str, flags: int, expected: int) -> None:
    assert verdict(machine, "openat", 0, 0, flags) == expected
    assert verdict(machine, "openat", 0, 0, flags | 1 << 40) == expected, "the kernel reads the low half"
    assert verdict(machine, "openat", 0, 0, flags, writes=True) == ALLOW
    if machine == "x86_64":
        assert verdict(machine, "open", 0, flags) == expected


@MACHINES
def test_devices_are_opened_for_both_but_no_file_is_made_or_emptied(machine: str) -> None:
    assert verdict(machine, "openat", 0, 0, os.O_RDWR, devices=True) == ALLOW
    for flag in (os.O_CREAT, os.O_TRUNC):
        assert verdict(machine, "openat", 0, 0, os.O_RDWR | flag, devices=True) == EPERM
    for name in DRIVING:
        assert verdict(machine, name) == EPERM
        assert verdict(machine, name, devices=True) == ALLOW
    assert [verdict(machine, "socket", family) for family in (1, 2, 10, 16)] == [EPERM] * 4
    assert [verdict(machine, "socket", family, devices=True) for family in (1, 2, 10, 16)] == [ALLOW, EPERM, EPERM, EPERM]
    assert verdict(machine, "ioctl", 0, 0xC020462A) == EPERM
    assert verdict(machine, "ioctl", 0, 0xC020462A, devices=True) == ALLOW


@MACHINES
def test_threads_are_started_and_no_processes(machine: str) -> None:
    thread, process = 0x003D0F00, 0x11
    assert verdict(machine, "clone", thread) == ALLOW
    for flags in (process, thread | 0x10000000, thread | 0x20000, thread | 0x40000000):
        assert verdict(machine, "clone", flags) == EPERM


@MACHINES
@pytest.mark.parametrize("name", ["kill", "tgkill", "prlimit64", "sched_setaffinity"])
def test_calls_on_processes_are_for_itself(machine: str, name: str) -> None:
    assert verdict(machine, name, PID) == ALLOW
    assert verdict(machine, name, PID + 1) == EPERM
    assert verdict(machine, name, 2**32 - 1) == EPERM, "everybody"
    assert verdict(machine, name, 0) == (ALLOW if name in ("prlimit64", "sched_setaffinity") else EPERM)


@MACHINES
def test_the_other_limited_calls_take_what_is_harmless(machine: str) -> None:
    for name, place, allowed, refused in (
        ("fcntl", 1, (0, 1, 2, 3, 4, 1030), (5, 6, 7, 8, 10, 15, 37, 1024, 1033)),
        ("ioctl", 1, (0x5401, 0x541B, 0x5421), (0x5412, 0x541C, 0x5414)),
        ("prctl", 0, (15, 16, 0x53564D41), (1, 4, 8, 22, 24, 38, 47)),
    ):
        for values, expected in ((allowed, ALLOW), (refused, EPERM)):
            for value in values:
                assert verdict(machine, name, *([0] * place), value) == expected, (name, value)


@MACHINES
def test_the_numbers_are_the_kernel_s(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers")
    column, _ = seccomp.ARCHITECTURES[machine]
    lines = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", HEADERS[machine].read_text(), re.MULTILINE)
    numbers = {name: int(number) for name, number in lines}
    if machine == "aarch64":
        numbers["newfstatat"] = numbers.pop("fstatat")
    for name, columns in (COMPUTING | READING | WRITING | DRIVING | LIMITED | {"seccomp": SECCOMP}).items():
        if name in numbers or columns[column] is None:
            assert numbers.get(name) == columns[column], name
    assert len(seccomp.program(machine, PID, writes=True)) // 8 < 4096
