"""Which profile fits which machine, and the properties that make a choice trustworthy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.hardware.machine import Machine, parse_cpuinfo
from sealift_core.hardware.match import choose, fit, specificity
from sealift_core.hardware.profile import CpuRequirement, HardwareProfile

TESTS = Path(__file__).parents[2]
SHIPPED = tuple(
    HardwareProfile.parse_toml(path.read_bytes(), where=path.name) for path in sorted((TESTS.parent / "hardware-profiles").glob("*.toml"))
)
FLAGS = ("sse2", "avx2", "fma", "avx512f", "avx512_vnni", "asimd", "asimddp", "i8mm")


def machine(arch: str, flags: frozenset[str], *, cores: int = 4, memory_bytes: int = 4 * 2**30) -> Machine:
    return Machine(arch=arch, cpu_flags=flags, cpu_model="test", cores=cores, memory_bytes=memory_bytes, os="linux 6.1")


def profile(name: str, cpu: CpuRequirement, *, minimum_memory_mb: int = 0) -> HardwareProfile:
    return dataclasses.replace(SHIPPED[0], name=name, cpu=cpu, minimum_memory_mb=minimum_memory_mb)


flag_sets = st.frozensets(st.sampled_from(FLAGS))
architectures = st.sampled_from(["x86_64", "aarch64", "riscv64"])
machines = st.builds(machine, architectures, flag_sets, cores=st.integers(1, 8), memory_bytes=st.integers(0, 2**31))
requirements = st.builds(
    CpuRequirement,
    arch=st.sampled_from(["x86_64", "aarch64"]),
    required_flags=flag_sets.map(lambda flags: tuple(sorted(flags))),
    absent_flags=flag_sets.map(lambda flags: tuple(sorted(flags))),
    minimum_cores=st.integers(1, 8),
)
profile_lists = st.lists(
    st.builds(profile, st.from_regex(r"[a-z]{1,3}", fullmatch=True), requirements, minimum_memory_mb=st.integers(0, 2048)),
    unique_by=lambda one: one.name,
)


@pytest.mark.parametrize(
    ("cpuinfo", "arch", "expected"),
    [
        ("amd-zen2", "x86_64", "x86-64-avx2"),
        ("intel-skylake-sp", "x86_64", "x86-64-avx2"),
        ("intel-ice-lake-sp", "x86_64", "x86-64-avx512-vnni"),
        ("arm-cortex-a72", "aarch64", "arm64-baseline"),
        ("arm-cortex-a76", "aarch64", "arm64-dotprod"),
        ("intel-sapphire-rapids", "x86_64", "x86-64-amx"),
        ("amd-zen4", "x86_64", "x86-64-avx512-vnni"),
        ("arm-neoverse-n1", "aarch64", "arm64-dotprod"),
        ("arm-neoverse-v1", "aarch64", "arm64-i8mm"),
        ("nvidia-jetson-orin", "aarch64", "arm64-dotprod"),
        ("arm-mixed-a53-a76", "aarch64", "arm64-baseline"),
    ],
)
def test_each_known_processor_gets_its_profile(cpuinfo: str, arch: str, expected: str) -> None:
    info = parse_cpuinfo((TESTS / "corpus" / "cpuinfo" / f"{cpuinfo}.txt").read_text())
    best, fits = choose(SHIPPED, machine(arch, info.flags))
    assert best is not None
    assert best.name == expected
    assert [result.profile for result in fits] == [one.name for one in SHIPPED]


@pytest.mark.parametrize(
    ("cpuinfo", "arch", "accelerators", "provider", "expected"),
    [
        ("intel-sapphire-rapids", "x86_64", {"nvidia-gpu"}, "CUDAExecutionProvider", "nvidia-cuda"),
        ("intel-sapphire-rapids", "x86_64", {"nvidia-gpu"}, "CPUExecutionProvider", "x86-64-amx"),
        ("intel-sapphire-rapids", "x86_64", set(), "CUDAExecutionProvider", "x86-64-amx"),
        ("intel-ice-lake-sp", "x86_64", set(), "OpenVINOExecutionProvider", "intel-openvino"),
        ("nvidia-jetson-orin", "aarch64", {"nvidia-jetson"}, "CUDAExecutionProvider", "nvidia-jetson"),
        ("nvidia-jetson-orin", "aarch64", {"nvidia-jetson"}, "CPUExecutionProvider", "arm64-dotprod"),
        ("arm-neoverse-n1", "aarch64", {"nvidia-gpu"}, "CUDAExecutionProvider", "arm64-dotprod"),
    ],
)
def test_an_accelerator_counts_when_it_is_built_in_and_onnxruntime_can_compute_with_it(
    cpuinfo: str, arch: str, accelerators: set[str], provider: str, expected: str
) -> None:
    info = parse_cpuinfo((TESTS / "corpus" / "cpuinfo" / f"{cpuinfo}.txt").read_text())
    plain = machine(arch, info.flags)
    accelerated = dataclasses.replace(plain, accelerators=frozenset(accelerators), providers=frozenset({"CPUExecutionProvider", provider}))
    best, _ = choose(SHIPPED, accelerated)
    assert best is not None
    assert best.name == expected


def test_an_accelerator_that_is_asked_for_has_its_sentences() -> None:
    cuda = next(one for one in SHIPPED if one.name == "nvidia-cuda")
    reasons = fit(cuda, machine("x86_64", frozenset({"sse2"}))).reasons
    assert reasons[-2:] == ("The installed onnxruntime lacks CUDAExecutionProvider.", "There is no accelerator nvidia-gpu.")


def test_a_foreign_architecture_gets_none_and_hears_why() -> None:
    best, fits = choose(SHIPPED, machine("riscv64", frozenset()))
    assert best is None
    assert all("The architecture is riscv64, but" in result.reasons[0] for result in fits)


def test_every_requirement_has_one_sentence() -> None:
    demanding = profile(
        "p", CpuRequirement(arch="x86_64", required_flags=("avx2", "fma"), absent_flags=("avx512f",), minimum_cores=8), minimum_memory_mb=8192
    )
    assert fit(demanding, machine("x86_64", frozenset({"avx2", "avx512f"}))).reasons == (
        "The architecture is x86_64.",
        "The processor has avx2.",
        "The processor lacks fma.",
        "The processor has avx512f, which this profile excludes.",
        "4 usable cores are too few (8 needed).",
        "4096 MB of memory are too little (8192 MB needed).",
    )


def test_a_tie_goes_to_the_first_name() -> None:
    cpu = CpuRequirement(arch="x86_64", required_flags=("avx2",))
    best, _ = choose([profile("b", cpu), profile("a", cpu)], machine("x86_64", frozenset({"avx2"})))
    assert best is not None
    assert best.name == "a"


@given(profile_lists, machines)
def test_a_chosen_profile_always_fits(profiles: list[HardwareProfile], device: Machine) -> None:
    best, fits = choose(profiles, device)
    if best is None:
        assert not any(result.fits for result in fits)
    else:
        assert fit(best, device).fits
        assert specificity(best) == max(specificity(one) for one, result in zip(profiles, fits, strict=True) if result.fits)


@given(profile_lists, machines)
def test_the_order_of_profiles_does_not_change_the_choice(profiles: list[HardwareProfile], device: Machine) -> None:
    assert choose(profiles, device)[0] == choose(profiles[::-1], device)[0]


@given(profile_lists, machines, flag_sets)
def test_more_flags_never_make_the_choice_less_specific_where_no_flag_is_excluded(
    profiles: list[HardwareProfile], device: Machine, more: frozenset[str]
) -> None:
    open_profiles = [dataclasses.replace(one, cpu=dataclasses.replace(one.cpu, absent_flags=())) for one in profiles]
    before, _ = choose(open_profiles, device)
    after, _ = choose(open_profiles, dataclasses.replace(device, cpu_flags=device.cpu_flags | more))
    assert before is None or (after is not None and specificity(after) >= specificity(before))


@given(machines, flag_sets)
def test_more_flags_never_make_the_choice_less_specific_among_the_shipped_profiles(device: Machine, more: frozenset[str]) -> None:
    before, _ = choose(SHIPPED, device)
    after, _ = choose(SHIPPED, dataclasses.replace(device, cpu_flags=device.cpu_flags | more))
    assert before is None or (after is not None and specificity(after) >= specificity(before))


def test_every_requirement_that_is_met_has_its_sentence() -> None:
    cpu = CpuRequirement(arch="x86_64", required_flags=("avx2",), absent_flags=("avx512f",), minimum_cores=4)
    result = fit(profile("p", cpu, minimum_memory_mb=4096), machine("x86_64", frozenset({"avx2"})))
    assert result.fits
    assert result.unmet == ()
    assert result.reasons == (
        "The architecture is x86_64.",
        "The processor has avx2.",
        "The processor doesn't have avx512f, which this profile excludes.",
        "4 usable cores are enough (4 needed).",
        "4096 MB of memory are enough (4096 MB needed).",
    )


def test_an_accelerator_that_is_built_in_has_its_sentences() -> None:
    cuda = next(one for one in SHIPPED if one.name == "nvidia-cuda")
    plain = machine("x86_64", frozenset({"sse2"}))
    here = dataclasses.replace(plain, accelerators=frozenset({"nvidia-gpu"}), providers=frozenset({"CUDAExecutionProvider"}))
    assert fit(cuda, here).reasons[-2:] == ("The installed onnxruntime has CUDAExecutionProvider.", "There is an accelerator nvidia-gpu.")


@pytest.mark.parametrize(
    ("unmet", "cpu", "memory_mb"),
    [
        ("The architecture is x86_64, but aarch64 is needed.", CpuRequirement(arch="aarch64"), 0),
        ("The processor lacks fma.", CpuRequirement(arch="x86_64", required_flags=("fma",)), 0),
        ("The processor has avx2, which this profile excludes.", CpuRequirement(arch="x86_64", absent_flags=("avx2",)), 0),
        ("4 usable cores are too few (5 needed).", CpuRequirement(arch="x86_64", minimum_cores=5), 0),
        ("4096 MB of memory are too little (4097 MB needed).", CpuRequirement(arch="x86_64"), 4097),
    ],
)
def test_one_requirement_that_is_not_met_is_enough_and_is_named(unmet: str, cpu: CpuRequirement, memory_mb: int) -> None:
    result = fit(profile("p", cpu, minimum_memory_mb=memory_mb), machine("x86_64", frozenset({"avx2"})))
    assert not result.fits
    assert result.unmet == (unmet,)


def test_an_accelerator_of_its_own_is_more_specific_than_one_on_the_processor_however_many_flags_that_asks_for() -> None:
    gpu = next(one for one in SHIPPED if one.name == "nvidia-cuda")
    on_the_processor = next(one for one in SHIPPED if one.name == "intel-openvino")
    flags = frozenset({*gpu.cpu.required_flags, *on_the_processor.cpu.required_flags, "a", "b", "c"})
    wordy = dataclasses.replace(on_the_processor, cpu=CpuRequirement(arch="x86_64", required_flags=tuple(sorted(flags))))
    providers = frozenset({"CUDAExecutionProvider", "OpenVINOExecutionProvider"})
    here = dataclasses.replace(machine("x86_64", flags), accelerators=frozenset({"nvidia-gpu"}), providers=providers)
    assert specificity(gpu) > specificity(wordy)
    assert choose([wordy, gpu], here)[0] == gpu
