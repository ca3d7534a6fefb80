"""May this machine speak for a profile? Pure."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.hardware.cpu_flags import FAST_INT8
from sealift_core.hardware.machine import Machine
from sealift_core.hardware.match import fit
from sealift_core.hardware.profile import HardwareProfile

NOT_MEASURED: Final = "not measured on this hardware"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Whether to measure here; ``machine`` names this machine, ``measured`` is what the bundle says about it."""

    measures: bool
    machine: str
    measured: str
    cores: int


def judge_host(profile: HardwareProfile, machine: Machine, *, beside: str = "") -> Host:
    """Hold a machine, this one or a device (``beside`` says which), against a profile.

    What is said of one that doesn't fit is the same everywhere, so that builds stay alike.
    """
    result = fit(profile, machine)
    name = f"{machine.cpu_model}, {machine.cores} cores, {machine.os}{beside}"
    if not result.fits:
        return Host(measures=False, machine=name, measured=NOT_MEASURED, cores=machine.cores)
    beyond = sorted((FAST_INT8 & machine.cpu_flags) - set(profile.cpu.required_flags))  # a host that has one flatters int8
    note = f" (which has {', '.join(beyond)} beyond the profile: int8 may be slower on the profile's minimum processor)" if beyond else ""
    return Host(measures=True, machine=name, measured=f"measured on {name}{note}", cores=machine.cores)


def thread_choices(profile: HardwareProfile, host: Host) -> tuple[int, ...]:
    """The thread counts of the profile that can be tried here; where nothing is measured, the most that every such machine has cores for."""
    cores = host.cores if host.measures else profile.cpu.minimum_cores
    fitting = tuple(count for count in profile.threads if count <= cores) or (min(profile.threads),)
    return fitting if host.measures else (max(fitting),)
