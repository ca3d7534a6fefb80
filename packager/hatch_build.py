"""Puts the hardware profiles into the wheel: from beside this folder in a checkout, from inside an unpacked sdist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACES = {"sdist": "hardware-profiles", "wheel": "sealift_packager/hardware_profiles"}


class ProfilesHook(BuildHookInterface[Any]):
    """An editable install reads the checkout's own folder, so nothing is put there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder of profiles to what is built."""
        if version == "editable":
            return
        here = Path(self.root)
        source = next(folder for folder in (here / "hardware-profiles", here.parent / "hardware-profiles") if folder.is_dir())
        build_data["force_include"][str(source)] = PLACES[self.target_name]
