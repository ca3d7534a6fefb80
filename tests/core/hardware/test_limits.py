"""cgroup limits, read from directories that look like the kernel's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from sealift_core.hardware.limits import CgroupLimits, read_limits, usable_cores, usable_memory

NONE = CgroupLimits(memory_bytes=None, cores=None)


def system(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_cgroups_nothing_limits(tmp_path: Path) -> None:
    assert read_limits(tmp_path) == NONE


def test_version_2_limits_are_read(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}
    assert read_limits(system(tmp_path, files)) == CgroupLimits(memory_bytes=512 * 2**20, cores=1.5)


def test_the_word_max_means_no_limit(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}
    assert read_limits(system(tmp_path, files)) == NONE


def test_the_tightest_level_holds(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/system.slice/agent.service\n",
        "sys/fs/cgroup/system.slice/memory.max": "1000000",
        "sys/fs/cgroup/system.slice/agent.service/memory.max": "2000000",
        "sys/fs/cgroup/system.slice/agent.service/cpu.max": "200000 100000",
    }
    assert read_limits(system(tmp_path, files)) == CgroupLimits(memory_bytes=1_000_000, cores=2.0)


def test_version_1_limits_are_read_from_their_own_mounts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/box\n2:cpu,cpuacct:/box\n1:name=systemd:/box\n",
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "268435456",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "50000",
        "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
    }
    assert read_limits(system(tmp_path, files)) == CgroupLimits(memory_bytes=256 * 2**20, cores=0.5)


def test_a_path_that_exists_only_outside_a_container_is_passed_over(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "5:memory:/docker/0123abcd\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576"}
    assert read_limits(system(tmp_path, files)).memory_bytes == 2**20


def test_a_path_upwards_stays_below_the_mount(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/../other\n", "sys/fs/cgroup/memory.max": "4096", "sys/fs/memory.max": "1"}
    assert read_limits(system(tmp_path, files)).memory_bytes == 4096


def test_a_malformed_line_is_no_limit(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "nonsense\n0::/\n", "sys/fs/cgroup/memory.max": "many", "sys/fs/cgroup/cpu.max": "1 0"}
    assert read_limits(system(tmp_path, files)) == NONE


def test_a_path_may_hold_colons(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/a:b/c\n",
        "sys/fs/cgroup/memory/a:b/c/memory.limit_in_bytes": "1048576",
        "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "4096",
    }
    assert read_limits(system(tmp_path, files)).memory_bytes == 2**20


def test_a_mount_that_is_named_after_the_first_of_its_controllers_is_read(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "2:cpu,cpuacct:/box\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "50000",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000",
    }
    assert read_limits(system(tmp_path, files)).cores == 0.5


def test_version_2_beside_version_1_is_read_from_its_own_mount(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/unified/box/memory.max": "4096", "sys/fs/cgroup/box/memory.max": "1"}
    assert read_limits(system(tmp_path, files)).memory_bytes == 4096


def test_the_largest_number_that_version_1_writes_is_no_limit(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "5:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**62)}
    assert read_limits(system(tmp_path, files)) == NONE


def test_bytes_that_are_no_text_are_no_limit(tmp_path: Path) -> None:
    root = system(tmp_path, {"proc/self/cgroup": "0::/\n"})
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory.max").write_bytes(b"\xff\xfe")
    assert read_limits(root) == NONE


def test_a_malformed_line_names_no_group(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "nonsense\n0:/\n", "sys/fs/cgroup/memory.max": "4096"}
    assert read_limits(system(tmp_path, files)) == NONE


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal:  1000 kB\n"}, 1_024_000),
        ({"proc/meminfo": "MemTotal: 1000 kB\n", "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4096"}, 4096),
        ({"proc/meminfo": "MemTotal: 1 kB\n", "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4096"}, 1024),
        (
            {
                "proc/meminfo": "MemTotal: 1000 kB\n",
                "proc/self/cgroup": "9:memory:/box\n",
                "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "8192",
            },
            8192,
        ),
    ],
)
def test_usable_memory_is_the_machine_s_or_the_smaller_quota(tmp_path: Path, files: dict[str, str], memory: int | None) -> None:
    assert usable_memory(system(tmp_path, files)) == memory


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("99900000 100000", None)])
def test_usable_cores_are_no_more_than_the_quota_and_at_least_one(tmp_path: Path, quota: str, cores: int | None) -> None:
    root = system(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": quota})
    assert usable_cores(root) == (cores or len(os.sched_getaffinity(0)))
