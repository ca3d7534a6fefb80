"""Where hardware profiles are: the shipped ones by name, a person's own by path."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from sealift_core import beneath
from sealift_core.errors import nearest
from sealift_core.hardware.profile import MAX_PROFILE_BYTES, OBJECTIVES, HardwareProfile
from sealift_packager.errors import ProfileError
from sealift_packager.profiles.rules import check_rules


def profile_folder() -> Path:
    """The folder of shipped profiles: inside an installed wheel, at the top of a checkout."""
    package = Path(__file__).parents[1]
    folders = (package / "hardware_profiles", package.parents[1] / "hardware-profiles")
    for folder in folders:
        if folder.is_dir():
            return folder
    raise ProfileError("the hardware profiles aren't installed", expected=f"the folder {folders[0]}", advice="Install sealift-packager again.")


def list_profiles() -> list[HardwareProfile]:
    """All shipped profiles, by name."""
    return [read_profile(path) for path in sorted(profile_folder().glob("*.toml"))]


def load_profile(name_or_path: str, objective: Sequence[str] = ()) -> HardwareProfile:
    """A shipped profile by its name, or a profile file by its path (ending in ``.toml``, or with a ``/``); with another ``objective`` if it is given.

    Raises `ProfileError` for an unknown name (with the nearest one), a file that can't be read, or contradictory
    content, and `DocumentError` for a field that the schema refuses.
    """
    unknown = [name for name in objective if name not in OBJECTIVES]
    if unknown:
        raise ProfileError(
            "no such objective", where="--objective", expected=", ".join(OBJECTIVES), found=unknown[0], advice=nearest(unknown[0], list(OBJECTIVES))
        )
    profile = _load(name_or_path)
    return dataclasses.replace(profile, objective=tuple(objective)) if objective else profile


def _load(name_or_path: str) -> HardwareProfile:
    if is_path(name_or_path):
        return read_profile(Path(name_or_path))
    names = [path.stem for path in sorted(profile_folder().glob("*.toml"))]
    if name_or_path not in names:
        advice = nearest(name_or_path, names) or "Name a profile of your own by its path."
        if Path(name_or_path).is_file():
            advice = f"Your own profile must be a .toml file; if this file is one, write ./{name_or_path}"
        raise ProfileError("no such hardware profile", where=name_or_path, expected=f"one of {', '.join(names)}", advice=advice)
    return read_profile(profile_folder() / f"{name_or_path}.toml")


def is_path(name_or_path: str) -> bool:
    """Whether a word names a file and not a shipped profile."""
    return "/" in name_or_path or name_or_path.endswith(".toml")


def read_profile(path: Path) -> HardwareProfile:
    """Read and check one profile file."""
    try:
        data = beneath.read_bounded(path, MAX_PROFILE_BYTES)
    except OSError as error:
        raise ProfileError(f"the profile can't be read ({error.strerror})", where=str(path)) from error
    return check_rules(HardwareProfile.parse_toml(data, where=str(path)), where=str(path))
