"""Does a profile fit a machine, and which of several fits best. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sealift_core.hardware.machine import Machine
from sealift_core.hardware.profile import HardwareProfile

_MB = 2**20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a profile fits a machine.

    Attributes:
        profile: The profile's name.
        fits: Whether every requirement is met.
        reasons: A sentence for each requirement, met or not.
        unmet: The sentences of those that aren't met.
    """

    profile: str
    fits: bool
    reasons: tuple[str, ...]
    unmet: tuple[str, ...] = ()


def fit(profile: HardwareProfile, machine: Machine) -> Fit:
    """Hold a profile against a machine.

    It fits if all of this holds:

    1. the architecture is the profile's;
    2. every required flag is there;
    3. no absent flag is there;
    4. there are enough cores;
    5. there is enough memory;
    6. the accelerator is built in, and onnxruntime can compute with it, where one is asked for.

    Args:
        profile: The profile.
        machine: The machine.

    Returns:
        The verdict with its reasons, in this order.
    """
    checks = [_arch(profile, machine)]  # 1
    checks += [_required(flag, machine) for flag in profile.cpu.required_flags]  # 2
    checks += [_absent(flag, machine) for flag in profile.cpu.absent_flags]  # 3
    checks += [_cores(profile, machine), _memory(profile, machine)]  # 4, 5
    checks += _accelerator(profile, machine)  # 6
    unmet = tuple(reason for met, reason in checks if not met)
    return Fit(profile=profile.name, fits=not unmet, reasons=tuple(reason for _, reason in checks), unmet=unmet)


def choose(profiles: Sequence[HardwareProfile], machine: Machine) -> tuple[HardwareProfile | None, tuple[Fit, ...]]:
    """Choose the most specific profile that fits: one with an accelerator, then most required flags, then first by name.

    Args:
        profiles: Any number of profiles; their order doesn't matter for the choice.
        machine: The machine.

    Returns:
        The profile, or None if none fits; and how each fared, in the order of ``profiles``.
    """
    fits = tuple(fit(profile, machine) for profile in profiles)
    fitting = [profile for profile, result in zip(profiles, fits, strict=True) if result.fits]
    best = min(fitting, key=_rank, default=None)
    return best, fits


def specificity(profile: HardwareProfile) -> tuple[bool, bool, int]:
    """Tell how much a profile asks of a machine; more sorts later.

    Args:
        profile: The profile.

    Returns:
        Whether it asks for an accelerator, whether for one that is a device of its own, and the number of different required flags.
    """
    accelerator = profile.accelerator
    return accelerator is not None, accelerator is not None and accelerator.device is not None, len(set(profile.cpu.required_flags))


def _rank(profile: HardwareProfile) -> tuple[bool, bool, int, str]:
    asks, is_device, flags = specificity(profile)
    return not asks, not is_device, -flags, profile.name


def _arch(profile: HardwareProfile, machine: Machine) -> tuple[bool, str]:
    if machine.arch == profile.cpu.arch:
        return True, f"The architecture is {machine.arch}."
    return False, f"The architecture is {machine.arch}, but {profile.cpu.arch} is needed."


def _required(flag: str, machine: Machine) -> tuple[bool, str]:
    met = flag in machine.cpu_flags
    return met, f"The processor has {flag}." if met else f"The processor lacks {flag}."


def _absent(flag: str, machine: Machine) -> tuple[bool, str]:
    met = flag not in machine.cpu_flags
    lacks_it, has_it = f"The processor doesn't have {flag}", f"The processor has {flag}"
    return met, f"{lacks_it if met else has_it}, which this profile excludes."


def _cores(profile: HardwareProfile, machine: Machine) -> tuple[bool, str]:
    need = profile.cpu.minimum_cores
    met = machine.cores >= need
    return met, f"{machine.cores} usable cores are {'enough' if met else 'too few'} ({need} needed)."


def _memory(profile: HardwareProfile, machine: Machine) -> tuple[bool, str]:
    need = profile.minimum_memory_mb
    met = machine.memory_bytes >= need * _MB
    return met, f"{machine.memory_bytes // _MB} MB of memory are {'enough' if met else 'too little'} ({need} MB needed)."


def _accelerator(profile: HardwareProfile, machine: Machine) -> list[tuple[bool, str]]:
    accelerator = profile.accelerator
    if accelerator is None:
        return []
    has_provider = accelerator.provider in machine.providers
    checks = [(has_provider, f"The installed onnxruntime {'has' if has_provider else 'lacks'} {accelerator.provider}.")]
    if accelerator.device is not None:
        built_in = accelerator.device in machine.accelerators
        checks.append((built_in, f"There is {'an' if built_in else 'no'} accelerator {accelerator.device}."))
    return checks
