"""Pure: which platform tags of wheels a machine can use, and which libc some wheels need."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from packaging.tags import Tag

Version = tuple[int, int]
#: Names for some glibc versions from before PEP 600: https://peps.python.org/pep-0600/#legacy-manylinux-tags.
_LEGACY: Final[dict[str, Version]] = {"manylinux2014": (2, 17), "manylinux2010": (2, 12), "manylinux1": (2, 5)}
#: The oldest glibc that wheels are built for, by machine; all others have 2.17, as in `packaging.tags`.
_OLDEST_GLIBC: Final = {"x86_64": 5, "i686": 5}
_OLDEST: Final = 17
_TAG: Final = re.compile(r"(?:(?P<libc>many|musl)linux_(?P<major>\d+)_(?P<minor>\d+)|(?P<legacy>manylinux\d+)|(?P<plain>linux))_(?P<machine>.+)")


def compatible_platforms(platform: str) -> list[str]:
    """The tags that a machine of this platform can use, the newest first.

    A wheel for an older glibc or musl runs with a newer one, so all lower versions are among them, as pip has them for the machine that it runs on.
    pip itself takes a platform that is named literally.

    Args:
        platform: A tag as pip names it, such as ``manylinux_2_28_aarch64`` or ``manylinux2014_x86_64``.

    Returns:
        The tags; the platform alone if it isn't of that form.
    """
    match = _TAG.fullmatch(platform)
    if match is None or match["plain"]:
        return [platform]
    machine = match["machine"]
    if match["libc"] == "musl":
        return [f"musllinux_{match['major']}_{minor}_{machine}" for minor in range(int(match["minor"]), -1, -1)]
    major, newest = _LEGACY[match["legacy"]] if match["legacy"] in _LEGACY else (int(match["major"] or 0), int(match["minor"] or 0))
    if major != 2:
        return [platform]
    tags = []
    for minor in range(newest, _OLDEST_GLIBC.get(machine, _OLDEST) - 1, -1):
        tags.append(f"manylinux_2_{minor}_{machine}")
        tags += [f"{name}_{machine}" for name, version in _LEGACY.items() if version == (2, minor)]
    return tags or [platform]


def needed_libc(wheels: Iterable[Collection[Tag]], libc: str) -> Version | None:
    """The oldest version of a libc with which all of some distributions can be installed.

    Args:
        wheels: The tags of each distribution's wheels.
        libc: ``glibc`` or ``musl``.

    Returns:
        Its major and minor version, (0, 0) if any will do; None if one of the distributions has no wheel for it.
    """
    needed = (0, 0)
    for tags in wheels:
        versions = [version for tag in tags if (version := _libc_of(tag.platform, libc)) is not None]
        if not versions:
            return None
        needed = max(needed, min(versions))
    return needed


def _libc_of(platform: str, libc: str) -> Version | None:
    """Which version of a libc a platform's wheels need; None for another one's."""
    match = _TAG.fullmatch(platform)
    if match is None or match["plain"]:
        return (0, 0)
    if match["legacy"]:
        return _LEGACY.get(match["legacy"]) if libc == "glibc" else None
    own = "glibc" if match["libc"] == "many" else "musl"
    return (int(match["major"]), int(match["minor"])) if own == libc else None
