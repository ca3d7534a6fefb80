"""What a profile has to make sense beyond its schema: contradictions are errors, what is merely odd is a warning."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from sealift_core.errors import nearest
from sealift_core.hardware.cpu_flags import VNNI
from sealift_core.hardware.profile import HardwareProfile
from sealift_packager.errors import ProfileError


def check_rules(profile: HardwareProfile, *, where: str) -> HardwareProfile:
    """The profile itself, if it doesn't contradict itself; else `ProfileError` naming the field.

    1. ``runtime.onnxruntime`` is a PEP 440 range.
    2. No list that a build chooses from is empty.
    3. ``search.precisions`` has fp32: there must be something to ship when no int8 passes.
    4. No flag is both required and absent.
    5. An accelerator's provider comes first among ``runtime.providers``.
    """
    try:
        SpecifierSet(profile.onnxruntime)  # 1
    except InvalidSpecifier as error:
        raise _error(where, "runtime.onnxruntime", "not a version range", "like '>=1.20,<2'", repr(profile.onnxruntime)) from error
    lists = {
        "runtime.providers": profile.providers,
        "search.precisions": profile.precisions,
        "search.threads": profile.threads,
        "search.objective": profile.objective,
    }
    for field, values in lists.items():  # 2
        if not values:
            raise _error(where, field, "empty", "at least one", "[]")
    if "fp32" not in profile.precisions:  # 3
        raise _error(where, "search.precisions", "fp32 is missing", "fp32 and the other precisions to try", ", ".join(profile.precisions))
    both = sorted(set(profile.cpu.required_flags) & set(profile.cpu.absent_flags))
    if both:  # 4
        raise _error(where, "cpu.absent_flags", "required and excluded at once", "flags that are not in required_flags", ", ".join(both))
    accelerator = profile.accelerator
    if accelerator is not None and profile.providers[0] != accelerator.provider:  # 5
        raise _error(
            where, "runtime.providers", "the accelerator's provider is not the first one", accelerator.provider, ", ".join(profile.providers)
        )
    return profile


def warnings(profile: HardwareProfile, known_flags: Iterable[str]) -> list[str]:
    """What is probably not meant: unsound int8 arithmetic, and flags that look like misspellings of ``known_flags``."""
    sentences = []
    int8 = profile.int8
    on_processor = profile.accelerator is None or profile.accelerator.device is None
    if on_processor and profile.cpu.arch == "x86_64" and not VNNI & set(profile.cpu.required_flags) and not int8.reduce_range:
        flags = ", ".join(sorted(VNNI))
        sentences.append(f"int8.reduce_range: without VNNI, x86 sums int8 products in saturating 16 bits. Set it to true, or require one of {flags}.")
    vocabulary = sorted(set(known_flags))
    for flag in (*profile.cpu.required_flags, *profile.cpu.absent_flags):
        advice = None if flag in vocabulary else nearest(flag, vocabulary)
        if advice:
            sentences.append(f"cpu: {flag!r} is not a known flag. {advice}")
    return sentences


def _error(where: str, field: str, message: str, expected: str, found: str) -> ProfileError:
    return ProfileError(message, where=f"{where}: {field}", expected=expected, found=found)
