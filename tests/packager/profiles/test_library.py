"""Shipped profiles, a person's own, and a corpus of broken ones with the error that each must give."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sealift_core.errors import DocumentError, SealiftError
from sealift_core.hardware.cpu_flags import VNNI
from sealift_core.hardware.machine import detect_machine
from sealift_packager.errors import ProfileError
from sealift_packager.profiles import rules
from sealift_packager.profiles.library import list_profiles, load_profile, profile_folder
from sealift_packager.search.evaluate import hides_saturation

CORPUS = Path(__file__).parents[2] / "corpus" / "profiles"
SHIPPED = [
    "arm64-baseline",
    "arm64-dotprod",
    "arm64-i8mm",
    "intel-openvino",
    "nvidia-cuda",
    "nvidia-jetson",
    "x86-64-amx",
    "x86-64-avx2",
    "x86-64-avx512-vnni",
    "x86-64-baseline",
]

BROKEN: dict[str, tuple[type[SealiftError], str]] = {
    "not-toml": (DocumentError, "not valid TOML"),
    "misspelt-field": (DocumentError, "int8.reduce_range: a required field is missing. Did you mean 'reduce_rnage'?"),
    "misspelt-value": (DocumentError, "int8.weight: not a known value: expected one of 'int8', 'uint8', found 'in8'. Did you mean 'int8'?"),
    "unknown-architecture": (DocumentError, "cpu.arch: not a known value: expected one of 'x86_64', 'aarch64', found 'x86'"),
    "missing-threads": (DocumentError, "search.threads: a required field is missing"),
    "threads-of-zero": (DocumentError, "threads[0]: out of range"),
    "no-threads": (ProfileError, "search.threads: empty: expected at least one, found []"),
    "cores-as-text": (DocumentError, "cpu.minimum_cores: wrong type: expected an integer, found a text"),
    "bad-range": (ProfileError, "runtime.onnxruntime: not a version range: expected like '>=1.20,<2', found '1.20 or newer'"),
    "without-fp32": (ProfileError, "search.precisions: fp32 is missing"),
    "contradictory-flags": (ProfileError, "cpu.absent_flags: required and excluded at once"),
    "bad-name": (DocumentError, "name: malformed"),
    "accelerator-second": (ProfileError, "runtime.providers: the accelerator's provider is not the first one: expected CUDAExecutionProvider"),
    "unknown-table": (DocumentError, "gpu: unknown field"),
}


def test_the_shipped_profiles_are_found_and_named_as_their_files() -> None:
    assert [profile.name for profile in list_profiles()] == SHIPPED
    assert [path.stem for path in sorted(profile_folder().glob("*.toml"))] == SHIPPED


def test_no_shipped_profile_gives_a_warning() -> None:
    assert [rules.warnings(profile, profile.cpu.required_flags) for profile in list_profiles()] == [[]] * len(SHIPPED)


@pytest.mark.parametrize("flag", sorted(VNNI))
def test_a_profile_that_asks_for_any_32_bit_int8_product_may_use_all_bits(flag: str) -> None:
    profile = next(profile for profile in list_profiles() if profile.name == "x86-64-avx2")
    careless = dataclasses.replace(profile, int8=dataclasses.replace(profile.int8, reduce_range=False))
    assert len(rules.warnings(careless, ())) == 1
    able = dataclasses.replace(careless, cpu=dataclasses.replace(careless.cpu, required_flags=(*careless.cpu.required_flags, flag)))
    assert rules.warnings(able, ()) == []
    assert not hides_saturation(able, detect_machine())


def test_int8_is_sound_on_every_shipped_profile() -> None:
    recipes = {profile.name: (profile.int8.activation, profile.int8.weight, profile.int8.reduce_range) for profile in list_profiles()}
    assert recipes == {
        "arm64-baseline": ("int8", "int8", False),
        "arm64-dotprod": ("int8", "int8", False),
        "arm64-i8mm": ("int8", "int8", False),
        "intel-openvino": ("uint8", "int8", True),
        "nvidia-cuda": ("int8", "int8", False),
        "nvidia-jetson": ("int8", "int8", False),
        "x86-64-amx": ("uint8", "int8", False),
        "x86-64-avx2": ("uint8", "int8", True),
        "x86-64-avx512-vnni": ("uint8", "int8", False),
        "x86-64-baseline": ("uint8", "int8", True),
    }


def test_a_profile_is_loaded_by_name_or_by_path() -> None:
    assert load_profile("x86-64-avx2") == load_profile(str(profile_folder() / "x86-64-avx2.toml"))


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(ProfileError, match="no such hardware profile: expected one of arm64-baseline, .* Did you mean 'x86-64-avx2'"):
        load_profile("x86-64-avx3")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ProfileError, match="nowhere.toml: the profile can't be read"):
        load_profile("nowhere.toml")


def test_every_file_of_the_corpus_has_its_error() -> None:
    assert {path.stem for path in CORPUS.glob("*.toml")} == {*BROKEN, "good"}
    assert load_profile(str(CORPUS / "good.toml")).name == "good"


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_profile_says_where_and_what(name: str) -> None:
    error_class, message = BROKEN[name]
    with pytest.raises(SealiftError) as caught:
        load_profile(str(CORPUS / f"{name}.toml"))
    assert type(caught.value) is error_class
    assert message in str(caught.value)
    assert f"{name}.toml" in str(caught.value)


def test_int8_that_may_saturate_gives_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((CORPUS / "good.toml").read_text().replace("reduce_range = true", "reduce_range = false"))
    assert "without VNNI" in rules.warnings(load_profile(str(path)), {"sse2", "avx2", "fma"})[0]


def test_a_flag_that_looks_misspelt_gives_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((CORPUS / "good.toml").read_text().replace('"avx2"', '"AVX2"').replace('"fma"', '"avx512-vnni", "fma"'))
    notes = rules.warnings(load_profile(str(path)), {"sse2", "avx2", "fma", "avx512_vnni"})
    assert notes == ["cpu: 'avx512-vnni' is not a known flag. Did you mean 'avx512_vnni'?"]


def test_another_objective_may_be_asked_of_a_profile_and_an_unknown_one_is_refused_with_the_nearest() -> None:
    assert load_profile("x86-64-avx2", ["size", "accuracy"]).objective == ("size", "accuracy")
    with pytest.raises(ProfileError, match=r"--objective: no such objective.*Did you mean 'size'"):
        load_profile("x86-64-avx2", ["sise"])
