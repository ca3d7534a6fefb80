"""Requests for small builds, as several tests make them."""

from __future__ import annotations

import dataclasses
import datetime
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sealift_core.hardware.profile import CpuRequirement, HardwareProfile
from sealift_core.signing.keys import PrivateKey
from sealift_packager.build.request import PackRequest
from support.models import make_profile

if TYPE_CHECKING:  # it imports torch, which a process that only packs needn't
    from support import trained

KEY: Final = PrivateKey.generate()
CREATED: Final = datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)
INT8: Final = ("fp32", "int8-dynamic", "int8-static")
OTHER_ARCH: Final = "x86_64" if platform.machine() in ("aarch64", "arm64") else "aarch64"


def elsewhere(name: str = "elsewhere", **changes: Any) -> HardwareProfile:
    """A profile that this machine can't be."""
    return make_profile(name, cpu=CpuRequirement(arch=OTHER_ARCH), precisions=INT8, **changes)


def here(**changes: Any) -> HardwareProfile:
    """A profile that every machine is, so that candidates are measured."""
    return make_profile(**({"precisions": ("fp32", "int8-static")} | changes))


def request(what: trained.Trained, out: Path, *profiles: HardwareProfile, **changes: Any) -> PackRequest:
    """A build of a trained model, for hardware elsewhere unless said otherwise."""
    build = PackRequest(
        model=what.model,
        name="model",
        version="1.0.0",
        profiles=profiles or (elsewhere(),),
        out=out,
        data=what.data,
        target=what.target,
        signer=KEY,
        trust_pickle=True,
        created=CREATED,
    )
    return dataclasses.replace(build, **changes)
