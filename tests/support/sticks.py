"""A real FAT or exFAT stick where root may mount one, and a user who owns nothing of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

NOBODY: Final = 65534
#: What makes a file system in a file, and what mounts it so that anybody may write, as desktops mount sticks.
FILE_SYSTEMS: Final = {
    "vfat": (["mkfs.vfat", "-F", "32"], [["mount", "-t", "vfat", "-o", "umask=0"]]),
    "exfat": (["mkfs.exfat"], [["mount", "-t", "exfat", "-o", "umask=0"], ["mount.exfat-fuse", "-o", "umask=0,allow_other"]]),
}


@contextlib.contextmanager
def stick(directory: Path, file_system: str, megabytes: int = 64) -> Iterator[Path]:
    """A stick that is mounted until the block ends; skips the test where none can be made."""
    make, mounts = FILE_SYSTEMS[file_system]
    if os.geteuid() or shutil.which(make[0]) is None:
        pytest.skip(f"only root can mount a stick, and {make[0]} must be installed")
    image, folder = directory / f"{file_system}.img", directory / file_system
    with image.open("wb") as file:
        file.truncate(megabytes * 2**20)
    folder.mkdir()
    subprocess.run([*make, str(image)], check=True, capture_output=True)
    with _loop_device(image) as device:
        if not any(_succeeds([*mount, device, str(folder)]) for mount in mounts):
            pytest.skip(f"this machine can't mount {file_system}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def _loop_device(image: Path) -> Iterator[str]:
    made = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip("this machine has no loop device")
    device = made.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def _succeeds(words: list[str]) -> bool:
    return shutil.which(words[0]) is not None and not subprocess.run(words, capture_output=True, check=False).returncode


@contextlib.contextmanager
def reachable(folder: Path) -> Iterator[None]:
    """Let every user come to a temporary folder of pytest, and only during the block: others judge these folders by their modes."""
    shut = {place: stat.S_IMODE(place.stat().st_mode) for place in (folder, *folder.parents)}
    shut = {place: mode for place, mode in shut.items() if not mode & stat.S_IXOTH}
    try:
        for place, mode in shut.items():
            place.chmod(mode | 0o011)
        yield
    finally:
        for place, mode in shut.items():
            place.chmod(mode)


def as_nobody(act: Callable[[], object], folder: Path) -> None:
    """Do something in a temporary folder as a user who owns nothing, in a process of its own."""
    with reachable(folder):
        _as_nobody(act)


def _as_nobody(act: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
        except BaseException:  # noqa: BLE001 - shown, and the parent fails
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
