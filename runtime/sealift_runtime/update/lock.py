"""One process at a time may change a device's home."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sealift_core.durable import translate_disk_errors
from sealift_core.errors import BusyError


class HomeLock:
    """A lock on a file, freed by the kernel when its holder dies. The holder may take it again; not for two threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock during the block; `BusyError` at once if another process has it."""
        if self._descriptor is not None:
            yield
            return
        self._descriptor = self._acquire()
        try:
            yield
        finally:
            os.close(self._descriptor)
            self._descriptor = None

    def _acquire(self) -> int:
        with translate_disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            advice = "The agent or another command is updating this device. Try again when it has finished."
            raise BusyError("another process is updating this device", where=str(self._path), advice=advice) from error
        return descriptor
