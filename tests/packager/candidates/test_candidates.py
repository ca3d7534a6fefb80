"""What is tried follows from the profile."""

from __future__ import annotations

import dataclasses

from sealift_core.hardware.cpu_flags import VNNI
from sealift_core.hardware.profile import Int8Recipe
from sealift_packager.candidates.from_profile import FP32, candidates_for
from sealift_packager.profiles.library import list_profiles
from sealift_packager.search.evaluate import SATURATING
from support.models import make_profile

PROFILE = make_profile(precisions=("fp32", "int8-dynamic", "int8-static"))


def test_fp32_is_always_first_and_alone_without_data() -> None:
    assert candidates_for(PROFILE, with_data=False) == (FP32,)
    assert [candidate.name for candidate in candidates_for(PROFILE, with_data=True)] == ["fp32", "int8-dynamic", "int8-static"]
    assert candidates_for(make_profile(precisions=("fp32",)), with_data=True) == (FP32,)


def test_int8_settings_are_the_profile_s() -> None:
    arm = dataclasses.replace(PROFILE, int8=Int8Recipe(activation="int8", weight="int8", reduce_range=False, per_channel=False))
    static = candidates_for(arm, with_data=True)[2]
    assert static.recipe() == {"activation": "int8", "weight": "int8", "reduce_range": False, "per_channel": False, "calibration": "best"}


def test_every_shipped_profile_without_a_dot_product_in_32_bits_reduces_the_range() -> None:
    for profile in list_profiles():
        if profile.cpu.arch == "x86_64" and not VNNI & set(profile.cpu.required_flags):
            for candidate in candidates_for(profile, with_data=True):
                if candidate.precision in SATURATING:
                    assert candidate.quantization is not None
                    assert candidate.quantization.reduce_range
