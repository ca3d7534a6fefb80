"""A disk with little room: a real file system in memory where root may mount one, so that writes fail as on a full disk."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

FILLER: Final = ".filler"
TRIES: Final = 20


class SmallDisk:
    """A mounted disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._filler = directory / FILLER

    def leave(self, free_kb: int) -> None:
        """Fill it until this much is free; measured again where somebody else wrote meanwhile."""
        for left in reversed(range(TRIES)):
            self.clear()
            disk = os.statvfs(self.directory)
            try:
                with self._filler.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, max(disk.f_bavail * disk.f_frsize - free_kb * 1024, 1))
            except OSError as error:
                if error.errno != errno.ENOSPC or not left:
                    raise
            else:
                return

    def clear(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)

    def names(self) -> set[str]:
        """What is on it, hidden or not."""
        return {str(path.relative_to(self.directory)) for path in self.directory.rglob("*")} - {FILLER}


@contextlib.contextmanager
def small_disk(directory: Path, megabytes: int = 16) -> Iterator[SmallDisk]:
    """A disk of this size in ``directory`` until the block ends; skips the test where none can be mounted."""
    directory.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(directory)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield SmallDisk(directory)
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def with_small_files(kilobytes: int, *words: object) -> list[str]:
    """A command line under a limit on the size of each file: for any user, what a full disk is (EFBIG)."""
    return ["bash", "-c", f'ulimit -f {kilobytes}; exec "$@"', "bash", *map(str, words)]
