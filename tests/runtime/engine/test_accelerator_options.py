"""What a profile says of an accelerator reaches onnxruntime."""

from __future__ import annotations

import dataclasses

from sealift_core.hardware.profile import AcceleratorRequirement
from sealift_runtime.engine.facts import machine_providers, providers
from sealift_runtime.engine.session import provider_options
from support.models import make_manifest, make_profile


def test_the_limit_of_the_accelerator_s_memory_goes_to_the_provider_that_knows_one() -> None:
    accelerator = AcceleratorRequirement(provider="CUDAExecutionProvider", device="nvidia-gpu", memory_limit_mb=256)
    names = ("CUDAExecutionProvider", "CPUExecutionProvider")
    plain = make_manifest()
    manifest = dataclasses.replace(plain, profile=make_profile(accelerator=accelerator), session=dataclasses.replace(plain.session, providers=names))
    assert provider_options(manifest) == [{"gpu_mem_limit": str(256 * 2**20)}, {}]
    assert provider_options(plain) == [{}]


def test_profiles_are_matched_with_providers_that_onnxruntime_has() -> None:
    assert "CPUExecutionProvider" in machine_providers()
    assert set(machine_providers()) <= set(providers())
