"""Which platform tags a target can use, and which libc a kit needs."""

from __future__ import annotations

import pytest
from packaging.tags import Tag

from sealift_packager.kit.platforms import compatible_platforms, needed_libc
from sealift_packager.kit.wheels import describe_wheels


@pytest.mark.parametrize(
    ("platform", "first", "last", "count"),
    [
        ("manylinux_2_28_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64", 13),
        ("manylinux_2_28_x86_64", "manylinux_2_28_x86_64", "manylinux1_x86_64", 27),
        ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux1_x86_64", 16),
        ("manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64", 2),
        ("musllinux_1_2_aarch64", "musllinux_1_2_aarch64", "musllinux_1_0_aarch64", 3),
        ("linux_aarch64", "linux_aarch64", "linux_aarch64", 1),
        ("win_amd64", "win_amd64", "win_amd64", 1),
        ("manylinux_3_1_x86_64", "manylinux_3_1_x86_64", "manylinux_3_1_x86_64", 1),
    ],
)
def test_a_target_can_use_all_lower_tags(platform: str, first: str, last: str, count: int) -> None:
    tags = compatible_platforms(platform)
    assert (tags[0], tags[-1], len(tags)) == (first, last, count)


def wheel(*platforms: str) -> set[Tag]:
    return {Tag("cp312", "cp312", platform) for platform in platforms}


def test_each_distribution_needs_the_oldest_that_one_of_its_wheels_is_for_and_the_kit_the_newest_of_these() -> None:
    wheels = [wheel("any"), wheel("manylinux_2_17_x86_64", "manylinux2014_x86_64"), wheel("manylinux_2_27_x86_64", "manylinux_2_28_x86_64")]
    assert needed_libc(wheels, "glibc") == (2, 27)
    assert needed_libc(wheels, "musl") is None
    assert needed_libc([wheel("any")], "musl") == (0, 0)
    assert needed_libc([wheel("musllinux_1_2_x86_64")], "musl") == (1, 2)
    assert needed_libc([wheel("musllinux_1_2_x86_64")], "glibc") is None


def test_wheels_of_machines_that_the_kit_isnt_for_say_nothing_of_its_libc() -> None:
    pure = ["sealift_core-0.1.0-py3-none-any.whl", "sealift_runtime-0.1.0-py3-none-any.whl"]
    engine = "onnxruntime-1.22.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    other = ["numpy-2.4.6-cp312-cp312-manylinux_2_17_x86_64.whl", "numpy-2.4.6-cp312-cp312-manylinux_2_39_aarch64.whl"]
    described = describe_wheels([*pure, engine, *other], where="x")
    assert (described.machines, described.glibc, described.musl) == (("x86_64",), (2, 28), None)
