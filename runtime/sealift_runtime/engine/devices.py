"""What the execution providers of a bundle open beside files of libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sealift_core.bundle import files
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.errors import SealiftError

NVIDIA: Final = frozenset({"CUDAExecutionProvider", "TensorrtExecutionProvider"})
#: Opened for reading, writing and ioctl: PC and server cards, then the modules of the Jetson family.
_NODES: Final = ("nvidia*", "nvidia-caps/*", "nvmap", "nvhost-*", "nvgpu/**/*", "nvsciipc", "dri/*")
_FACTS: Final = ("/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/proc/self", "/sys/module", "/sys/devices", "/sys/class", "/etc/nvidia")


def devices_of(directory: Path) -> tuple[Sequence[Path], tuple[Path, ...]]:
    """Files to read and device nodes to use, for the providers that a bundle's manifest names: none for the processor's."""
    if not NVIDIA & set(_providers(directory)):
        return (), ()
    nodes = {path for pattern in _NODES for path in Path("/dev").glob(pattern) if not path.is_dir()}
    return [Path(path) for path in _FACTS], tuple(sorted(nodes))


def _providers(directory: Path) -> Sequence[str]:
    """The providers; none of a manifest that can't be read, which the self-test will say."""
    path = directory / files.MANIFEST
    try:
        with path.open("rb") as file:
            return BundleManifest.parse(file.read(LIMITS.manifest_bytes + 1), where=str(path)).session.providers
    except (OSError, SealiftError):
        return ()
