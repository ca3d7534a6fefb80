"""Which bundle of a release this machine is to run, and whether its requirements are met. Pure.

Disk space isn't looked at: how much is needed depends on what is here already, so it is checked where files are fetched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from sealift_core.bundle.manifest import BundleManifest, Requirements
from sealift_core.bundle.release import OCI_ARCHITECTURES, BundleRef, Release
from sealift_core.errors import DocumentError, HardwareError, IntegrityError, MemoryShortageError
from sealift_core.hardware.machine import Machine
from sealift_core.hardware.match import choose


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What requirements are held against: the machine, the installed onnxruntime."""

    machine: Machine
    onnxruntime: str


def candidates(release: Release, machine: Machine) -> list[BundleRef]:
    """The bundles for this machine's architecture; `HardwareError` if there is none."""
    architecture = OCI_ARCHITECTURES.get(machine.arch, machine.arch)
    bundles = [bundle for bundle in release.bundles if bundle.manifest.platform.get("architecture") == architecture]
    if not bundles:
        architectures = ", ".join(sorted({bundle.manifest.platform.get("architecture", "unknown") for bundle in release.bundles}))
        raise HardwareError(
            "the release has no bundle for this architecture", where=f"{release.name} {release.version}", expected=architecture, found=architectures
        )
    return bundles


def select_bundle(release: Release, manifests: Mapping[str, BundleManifest], facts: Facts) -> BundleRef:
    """The bundle to run, out of those whose manifests are given by profile.

    1. Each manifest is of this release: name, version, profile. Else `IntegrityError`.
    2. The most specific profile that fits the machine is taken; `HardwareError` says why each doesn't.
    3. Its requirements are met; `HardwareError` says which aren't.
    4. This machine has the memory that it needs, else `MemoryShortageError`: a limit of memory may be another one tomorrow.
    """
    for profile, manifest in manifests.items():  # 1
        expected, actual = (release.name, release.version, profile), (manifest.name, manifest.version, manifest.profile.name)
        if expected != actual:
            raise IntegrityError(
                "a bundle doesn't match its release", where=f"{release.name} {release.version}", expected=" ".join(expected), found=" ".join(actual)
            )
    chosen, fits = choose([manifest.profile for manifest in manifests.values()], facts.machine)  # 2
    if chosen is None:
        reasons = " ".join(f"{fit.profile}: {' '.join(fit.reasons)}" for fit in fits)
        raise HardwareError("no bundle of the release fits this machine", where=f"{release.name} {release.version}", found=reasons)
    unmet = unmet_requirements(manifests[chosen.name].requires, facts)  # 3
    if unmet:
        raise HardwareError("this device doesn't meet the bundle's requirements", where=f"{release.name} {release.version}", found=" ".join(unmet))
    needed, memory = manifests[chosen.name].requires.memory_bytes, facts.machine.memory_bytes
    if needed > memory:  # 4
        raise MemoryShortageError(
            "this machine has too little memory for the bundle",
            where=f"{release.name} {release.version}",
            expected=f"{needed} bytes",
            found=f"{memory} bytes",
            advice="Give the agent more memory, or publish a smaller variant of the model.",
        )
    return release.bundle(chosen.name)


def unmet_requirements(requires: Requirements, facts: Facts) -> list[str]:
    """A sentence for each requirement of a manifest that only another machine, or other libraries, would meet."""
    try:
        versions = SpecifierSet(requires.onnxruntime)
    except InvalidSpecifier as error:
        raise DocumentError("not a version range", where="bundle.json: requires.onnxruntime", found=repr(requires.onnxruntime)) from error
    unmet = []
    if not versions.contains(facts.onnxruntime, prereleases=True):
        unmet.append(f"It needs onnxruntime {requires.onnxruntime}; {facts.onnxruntime} is installed.")
    missing = [flag for flag in requires.cpu_flags if flag not in facts.machine.cpu_flags]
    if missing:
        unmet.append(f"The processor lacks {', '.join(missing)}.")
    return unmet
