"""Texts of /proc/cpuinfo, as Linux 6 writes them for these processors, and what is read from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_core.hardware.cpuinfo import parse_cpuinfo

CORPUS = Path(__file__).parents[2] / "corpus" / "cpuinfo"


@pytest.mark.parametrize(
    ("name", "model", "present", "absent"),
    [
        ("amd-zen2", "AMD EPYC 7302 16-Core Processor", {"avx2", "fma"}, {"avx512f", "avx512_vnni"}),
        ("intel-skylake-sp", "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", {"avx2", "avx512f", "avx512bw"}, {"avx512_vnni"}),
        ("intel-ice-lake-sp", "Intel(R) Xeon(R) Platinum 8358 CPU @ 2.60GHz", {"avx2", "avx512_vnni"}, {"avx_vnni", "amx_int8"}),
        ("intel-sapphire-rapids", "Intel(R) Xeon(R) Platinum 8480+", {"avx512_vnni", "avx_vnni", "amx_tile", "amx_int8"}, {"asimd"}),
        ("amd-zen4", "AMD EPYC 9654 96-Core Processor", {"avx2", "avx512bw", "avx512_vnni"}, {"avx_vnni", "amx_int8"}),
        ("arm-neoverse-n1", "Arm, implementer 0x41, part 0xd0c", {"asimd", "asimddp"}, {"i8mm", "sve"}),
        ("nvidia-jetson-orin", "Arm, implementer 0x41, part 0xd42", {"asimd", "asimddp"}, {"i8mm"}),
        ("arm-cortex-a72", "Raspberry Pi 4 Model B Rev 1.4", {"asimd", "crc32"}, {"asimddp", "i8mm"}),
        ("arm-cortex-a76", "Raspberry Pi 5 Model B Rev 1.0", {"asimd", "asimddp"}, {"i8mm"}),
        ("arm-neoverse-v1", "Arm, implementer 0x41, part 0xd40", {"asimd", "asimddp", "i8mm", "sve"}, {"avx2"}),
    ],
)
def test_flags_and_model_are_read_from_a_processors_text(name: str, model: str, present: set[str], absent: set[str]) -> None:
    info = parse_cpuinfo((CORPUS / f"{name}.txt").read_text())
    assert info.model == model
    assert present <= info.flags
    assert not absent & info.flags


def test_where_cores_differ_only_flags_of_all_cores_count() -> None:
    info = parse_cpuinfo((CORPUS / "arm-mixed-a53-a76.txt").read_text())
    assert "asimd" in info.flags
    assert "asimddp" not in info.flags


@pytest.mark.parametrize("text", ["", "\n\n", "no colon here", "flags\t:\n", "processor : 0\n"])
def test_a_text_without_flags_gives_none_and_no_error(text: str) -> None:
    assert parse_cpuinfo(text).flags == frozenset()
