"""One process of a kind per home, for as long as it lives; the kernel frees the lock however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sealift_core.durable import translate_disk_errors
from sealift_core.errors import BusyError


@contextlib.contextmanager
def one_of_its_kind(path: Path, what: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock on ``path`` during the block; `BusyError` if another ``what`` has it and keeps it for ``wait_s``."""
    with translate_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait_s
        while not _take(descriptor):
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"another {what} is already running for this home", where=str(path.parent.parent), advice="Stop it first, or use another --home."
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
