"""The versions that an agent was tested with: its wheel lists them, and a kit takes these and no others."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from sealift_packager.errors import KitError

#: Where the agent's wheel lists them, as pip's constraints.
LOCK: Final = "sealift_runtime/tested-versions.txt"
MAX_LOCK_BYTES: Final = 2**20


def read_lock(wheel: Path) -> bytes:
    """The constraints in an agent's wheel.

    Args:
        wheel: The wheel of sealift-runtime.

    Returns:
        The file's bytes; nothing for a wheel that lists none, as earlier versions.

    Raises:
        KitError: If it isn't a wheel, or the list is too long.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            if LOCK not in archive.namelist():
                return b""
            with archive.open(LOCK) as member:
                data = member.read(MAX_LOCK_BYTES + 1)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise KitError(
            "not a wheel", where=wheel.name, expected=f"an archive, with {LOCK} if it lists the versions that it was tested with"
        ) from error
    if len(data) > MAX_LOCK_BYTES:
        raise KitError("the list of tested versions is too long", where=f"{wheel.name}: {LOCK}", expected=f"at most {MAX_LOCK_BYTES} bytes")
    return data


def untested(lock: bytes, versions: Mapping[str, str]) -> list[str]:
    """What of some distributions isn't what was tested. Pure.

    Args:
        lock: What `read_lock` gave.
        versions: The version of each distribution, by its normalized name.

    Returns:
        A sentence for each distribution with another version than the tested one.

    Raises:
        KitError: If the list holds something else than exact versions.
    """
    sentences = []
    for line in lock.decode("utf-8", "replace").splitlines():
        if not (text := line.partition("#")[0].strip()):
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise KitError("not an exact version", where=LOCK, expected="like numpy==2.4.6", found=repr(text)[:100]) from error
        found = versions.get(canonicalize_name(requirement.name))
        if found is not None and not requirement.specifier.contains(found, prereleases=True):
            sentences.append(f"{requirement.name} is {found}; the agent was tested with {requirement.specifier}.".replace("==", ""))
    return sentences
