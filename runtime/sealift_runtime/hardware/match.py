"""Does a profile fit a machine, and which of several fits best. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sealift_runtime.bundle.profile import HardwareProfile
from sealift_runtime.hardware.machine import Machine

_MB = 2**20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether ``profile`` fits, with one sentence per requirement, met or not."""

    profile: str
    fits: bool
    reasons: tuple[str, ...]


def fit(profile: HardwareProfile, machine: Machine) -> Fit:
    """Hold a profile against a machine.

    It fits if all of this holds:

    1. the architecture is the profile's;
    2. every required flag is there;
    3. no absent flag is there;
    4. there are enough cores;
    5. there is enough memory.
    """
    checks = [_arch(profile, machine)]  # 1
    checks += [_required(flag, machine) for flag in profile.cpu.required_flags]  # 2
    checks += [_absent(flag, machine) for flag in profile.cpu.absent_flags]  # 3
    checks += [_cores(profile, machine), _memory(profile, machine)]  # 4, 5
    return Fit(profile=profile.name, fits=all(met for met, _ in checks), reasons=tuple(reason for _, reason in checks))


def choose(profiles: Sequence[HardwareProfile], machine: Machine) -> tuple[HardwareProfile | None, tuple[Fit, ...]]:
    """The most specific profile that fits (most required flags, then first by name), and how each profile fared.

    None if none fits. The order of ``profiles`` doesn't matter for the choice; the fits keep it.
    """
    fits = tuple(fit(profile, machine) for profile in profiles)
    fitting = [profile for profile, result in zip(profiles, fits, strict=True) if result.fits]
    best = min(fitting, key=lambda profile: (-specificity(profile), profile.name), default=None)
    return best, fits


def specificity(profile: HardwareProfile) -> int:
    """How much a profile asks of a processor: the number of its different required flags."""
    return len(set(profile.cpu.required_flags))


def _arch(profile: HardwareProfile, machine: Machine) -> tuple[bool, str]:
    if machine.arch == profile.cpu.arch:
        return True, f"The architecture is {machine.arch}."
    return False, f"The architecture is {machine.arch}, but {profile.cpu.arch} is needed."


def _required(flag: str, machine: Machine) -> tuple[bool, str]:
    met = flag in machine.cpu_flags
    return met, f"The processor has {flag}." if met else f"The processor lacks {flag}."


def _absent(flag: str, machine: Machine) -> tuple[bool, str]:
    met = flag not in machine.cpu_flags
    return met, f"The processor is without {flag}, as it should be." if met else f"The processor has {flag}, which this profile excludes."


def _cores(profile: HardwareProfile, machine: Machine) -> tuple[bool, str]:
    need = profile.cpu.minimum_cores
    met = machine.cores >= need
    return met, f"{machine.cores} usable cores are {'enough' if met else 'too few'} ({need} needed)."


def _memory(profile: HardwareProfile, machine: Machine) -> tuple[bool, str]:
    need = profile.minimum_memory_mb
    met = machine.memory_bytes >= need * _MB
    return met, f"{machine.memory_bytes // _MB} MB of memory are {'enough' if met else 'too little'} ({need} MB needed)."
