"""What a build has done by another process than its own: by one that it starts itself or, where it may start none, by the one that started it.

A build that runs behind walls (`sealift_packager.sandbox`) can start no process and reach no network.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sealift_core.bundle.digest import Digest
    from sealift_packager.graph.session import Settings
    from sealift_packager.measure.device_address import DeviceAddress
    from sealift_packager.measure.emulation import Emulator, Processor
    from sealift_packager.measure.probe import Footprint


class Outside(Protocol):
    """The process that started this one, as far as a build needs it; each raises what doing it here would raise."""

    def footprint(self, model: Path, inputs: Path, settings: Settings, *, model_bytes: int) -> Footprint:
        """As `measure.probe.probe`."""

    def find_emulator(self, processor: Processor) -> Emulator | None:
        """As `measure.emulation.find_emulator`."""

    def emulator_digest(self, processor: Processor) -> str:
        """As `measure.emulation.emulator_digest`."""

    def emulate(self, processor: Processor, folder: Path, entries: Mapping[str, str]) -> bool:
        """As `measure.emulation.compute`."""

    def device_job(self, address: DeviceAddress, files: Mapping[Digest, bytes]) -> Any:
        """As `measure.device.DeviceJob`, signed with the key that isn't here."""


_OUTSIDE: contextvars.ContextVar[Outside | None] = contextvars.ContextVar("_OUTSIDE", default=None)


def outside() -> Outside | None:
    """Whom to ask; None where this process does it itself."""
    return _OUTSIDE.get()


@contextlib.contextmanager
def asking(whom: Outside | None) -> Iterator[None]:
    """Ask ``whom`` within the block."""
    token = _OUTSIDE.set(whom)
    try:
        yield
    finally:
        _OUTSIDE.reset(token)
