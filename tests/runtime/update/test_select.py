"""Which bundle of a release a machine runs, and why it runs none."""

from __future__ import annotations

import dataclasses

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor
from sealift_core.bundle.manifest import BundleManifest, Requirements
from sealift_core.bundle.release import BundleRef, Release
from sealift_core.errors import DocumentError, HardwareError, IntegrityError, MemoryShortageError
from sealift_core.hardware.machine import Machine
from sealift_core.hardware.profile import CpuRequirement
from sealift_runtime.update.select import Facts, candidates, select_bundle, unmet_requirements
from support.models import make_manifest, make_profile

MACHINE = Machine(arch="x86_64", cpu_flags=frozenset({"avx2", "fma"}), cpu_model="test", cores=4, memory_bytes=1000, os="linux 6.1")
FACTS = Facts(machine=MACHINE, onnxruntime="1.22.0")
NOTHING = Requirements(onnxruntime=">=1.20,<2", cpu_flags=(), memory_bytes=0, disk_bytes=0)


def bundle(profile: str, **platform: str) -> BundleRef:
    descriptor = Descriptor(media_type="application/x", digest=Digest.of(profile.encode()), size_bytes=1, platform=platform)
    return BundleRef(profile=profile, manifest=descriptor)


def release(*profiles: str, architecture: str = "amd64") -> Release:
    return Release(name="linear", version="1.0.0", bundles=tuple(bundle(name, architecture=architecture) for name in profiles), public_key=None)


def manifest(profile: str, *flags: str, requires: Requirements = NOTHING) -> BundleManifest:
    made = make_profile(profile, cpu=CpuRequirement(arch="x86_64", required_flags=flags))
    return make_manifest("linear", name="linear", version="1.0.0", profile=made, requires=requires)


@pytest.mark.parametrize(("arch", "profile"), [("x86_64", "intel"), ("aarch64", "arm"), ("riscv64", "risc")])
def test_the_bundles_for_a_machines_architecture_are_looked_at(arch: str, profile: str) -> None:
    bundles = (bundle("intel", architecture="amd64"), bundle("arm", architecture="arm64"), bundle("risc", architecture="riscv64"), bundle("none"))
    made = Release(name="linear", version="1.0.0", bundles=bundles, public_key=None)
    assert [one.profile for one in candidates(made, dataclasses.replace(MACHINE, arch=arch))] == [profile]


def test_a_release_without_a_bundle_for_the_architecture_says_which_it_has() -> None:
    bundles = (bundle("b", architecture="arm64"), bundle("a"), bundle("c", architecture="arm64"))
    with pytest.raises(
        HardwareError, match=r"linear 1\.0\.0: the release has no bundle for this architecture: expected amd64, found arm64, unknown$"
    ):
        candidates(Release(name="linear", version="1.0.0", bundles=bundles, public_key=None), MACHINE)


def test_the_most_specific_bundle_that_fits_is_taken() -> None:
    manifests = {"plain": manifest("plain"), "fast": manifest("fast", "avx2", "fma"), "faster": manifest("faster", "avx512f")}
    assert select_bundle(release(*manifests), manifests, FACTS) == bundle("fast", architecture="amd64")


def test_only_the_requirements_of_the_bundle_that_is_taken_count() -> None:
    greedy = dataclasses.replace(NOTHING, memory_bytes=10**9)
    manifests = {"plain": manifest("plain", requires=greedy), "fast": manifest("fast", "avx2")}
    assert select_bundle(release(*manifests), manifests, FACTS).profile == "fast"
    manifests = {"plain": manifest("plain"), "fast": manifest("fast", "avx2", requires=greedy)}
    with pytest.raises(
        MemoryShortageError,
        match=r"linear 1\.0\.0: this machine has too little memory for the bundle: expected 1000000000 bytes, found 1000 bytes",
    ):
        select_bundle(release(*manifests), manifests, FACTS)


def test_where_none_fits_each_says_why() -> None:
    manifests = {"a": manifest("a", "avx512f"), "b": manifest("b", "amx_int8")}
    with pytest.raises(HardwareError, match=r"linear 1\.0\.0: no bundle of the release fits this machine") as error:
        select_bundle(release(*manifests), manifests, FACTS)
    assert str(error.value.found).startswith("a: The architecture is x86_64. The processor lacks avx512f. 4 usable cores")
    assert " b: The architecture is x86_64. The processor lacks amx_int8. " in str(error.value.found)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"name": "other"}, "other 1.0.0 any"),
        ({"version": "2.0.0"}, "linear 2.0.0 any"),
        ({"profile": make_profile("another")}, "linear 1.0.0 another"),
    ],
)
def test_a_manifest_of_another_release_or_profile_is_refused(changes: dict[str, object], found: str) -> None:
    manifests = {"any": dataclasses.replace(manifest("any"), **changes)}  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match=rf"linear 1\.0\.0: a bundle doesn't match its release: expected linear 1\.0\.0 any, found {found}$"):
        select_bundle(release("any"), manifests, FACTS)


def test_every_requirement_that_only_another_machine_meets_has_its_sentence() -> None:
    requires = Requirements(onnxruntime=">=1.23", cpu_flags=("avx2", "avx512f", "amx_int8"), memory_bytes=1001, disk_bytes=501)
    assert unmet_requirements(requires, FACTS) == [
        "It needs onnxruntime >=1.23; 1.22.0 is installed.",
        "The processor lacks avx512f, amx_int8.",
    ]


def test_what_is_just_enough_is_enough() -> None:
    requires = Requirements(onnxruntime="==1.22.0", cpu_flags=("avx2", "fma"), memory_bytes=1000, disk_bytes=500)
    assert unmet_requirements(requires, FACTS) == []
    manifests = {"plain": manifest("plain", requires=requires)}
    assert select_bundle(release("plain"), manifests, FACTS).profile == "plain"


def test_a_release_candidate_of_onnxruntime_is_compared_like_any_other_version() -> None:
    assert unmet_requirements(NOTHING, dataclasses.replace(FACTS, onnxruntime="1.23.0rc1")) == []


def test_a_range_of_versions_that_is_none_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"bundle\.json: requires\.onnxruntime: not a version range: found 'newest'"):
        unmet_requirements(dataclasses.replace(NOTHING, onnxruntime="newest"), FACTS)


def test_a_bundle_whose_requirements_the_machine_does_not_meet_is_refused_with_each_of_them() -> None:
    manifests = {"plain": manifest("plain", requires=dataclasses.replace(NOTHING, onnxruntime=">=1.23", cpu_flags=("amx_int8",)))}
    words = r"linear 1\.0\.0: this device doesn't meet the bundle's requirements: found It needs onnxruntime .* The processor lacks amx_int8\.$"
    with pytest.raises(HardwareError, match=words):
        select_bundle(release("plain"), manifests, FACTS)
