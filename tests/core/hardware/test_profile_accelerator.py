"""[accelerator] in profiles and manifests: new, optional, and absent from what was written before."""

from __future__ import annotations

import dataclasses

import pytest

from sealift_core.errors import DocumentError
from sealift_core.hardware.profile import AcceleratorRequirement, HardwareProfile
from sealift_core.schema.documents import Document, canonical_json
from support.models import make_profile

CUDA = AcceleratorRequirement(provider="CUDAExecutionProvider", device="nvidia-gpu", memory_limit_mb=512)


def through_json(profile: HardwareProfile) -> HardwareProfile:
    data = canonical_json(profile.json())
    return HardwareProfile.parse(Document.parse_json(data, where="profile", max_bytes=len(data)))


@pytest.mark.parametrize("accelerator", [None, CUDA, AcceleratorRequirement(provider="OpenVINOExecutionProvider")])
def test_a_profile_survives_its_manifest(accelerator: AcceleratorRequirement | None) -> None:
    profile = make_profile(accelerator=accelerator)
    assert through_json(profile) == profile


def test_a_profile_without_an_accelerator_is_written_as_it_always_was() -> None:
    assert "accelerator" not in make_profile().json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"provider": "CudaExecutionProvider"}, "Did you mean 'CUDAExecutionProvider'"),
        ({"device": "nvidia"}, "accelerator.device: not a known value"),
        ({"memory_limit_mb": 0}, "accelerator.memory_limit_mb: out of range"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], message: str) -> None:
    fields = make_profile().json() | {"accelerator": {**dataclasses.asdict(CUDA), **change}}
    with pytest.raises(DocumentError, match=message):
        HardwareProfile.parse(Document(fields, "profile"))
