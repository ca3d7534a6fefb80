"""What computes beside the processor, as Linux shows it: no driver library is loaded, no tool is started.

- ``nvidia-jetson``: the device tree's ``compatible`` names a Tegra (all Jetsons; their GPU is no PCI device).
- ``nvidia-gpu``: NVIDIA's kernel driver is loaded and has made a device.
- ``intel-gpu``: a render device of PCI vendor 0x8086.

Source: https://docs.kernel.org/devicetree/usage-model.html, https://docs.kernel.org/gpu/drm-uapi.html.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_INTEL: Final = "0x8086"


def find_accelerators(root: Path) -> frozenset[str]:
    """Look for accelerators.

    Args:
        root: Where dev, proc and sys are; ``/`` but in tests.

    Returns:
        The names of what is there, of `sealift_core.hardware.profile.ACCELERATORS`.
    """
    presence = {"nvidia-jetson": _is_tegra(root), "nvidia-gpu": _has_nvidia(root), "intel-gpu": _has_intel(root)}
    return frozenset(name for name, present in presence.items() if present)


def _is_tegra(root: Path) -> bool:
    return any(word.startswith(b"nvidia,tegra") for word in _read(root / "proc/device-tree/compatible").split(b"\0"))


def _has_nvidia(root: Path) -> bool:
    return bool(_read(root / "proc/driver/nvidia/version")) and (root / "dev/nvidia0").exists()


def _has_intel(root: Path) -> bool:
    return any(_read(path).strip() == _INTEL.encode() for path in sorted((root / "sys/class/drm").glob("renderD*/device/vendor")))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # what isn't there isn't built in
