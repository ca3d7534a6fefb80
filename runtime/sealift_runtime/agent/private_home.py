"""A device's home is one user's alone: who that is, and that nobody else reads or writes a thing in it."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_core.errors import ConfigurationError, StoreError

PRIVATE_UMASK: Final = 0o077
#: What is written for others: reports on a medium.
MEDIUM_UMASK: Final = 0o022
_OTHERS: Final = 0o077


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    """Take these permissions from whatever is made within the block, whatever this process was started with."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def check_owner(home: Path) -> None:
    """Raise `ConfigurationError` if the home is another user's: what root leaves there, its owner can't read or replace. No home is no trouble."""
    try:
        owner = home.stat().st_uid
    except OSError:
        return
    if owner != os.geteuid():
        raise ConfigurationError(
            "this home belongs to another user",
            where=str(home),
            expected=f"to be run by {_user(owner)}",
            found=_user(os.geteuid()),
            advice=f"As root, run: runuser -u {_user(owner)} -- sealift-agent … --home {home}",
        )


def make_home(home: Path) -> None:
    """Make the directory of a home, private, and what is missing above it; `ConfigurationError` says who must if this user can't."""
    try:
        with umask(MEDIUM_UMASK):
            home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
    except PermissionError as error:
        there = next(parent for parent in home.parents if os.path.lexists(parent))
        raise ConfigurationError(
            "this user can't make the home",
            where=str(home),
            found=f"{there} belongs to {_owner_of(there)}",
            advice=f"As root, run: install -d -m 700 -o {_user(os.geteuid())} {home}. Or choose another home with --home.",
        ) from error
    except OSError as error:
        raise StoreError(f"the home can't be made ({error.strerror})", where=str(home)) from error


def exposed(home: Path) -> tuple[list[str], list[str]]:
    """What of a home isn't its user's alone, as parts of a sentence: what belongs to others, and what others have permissions for."""
    owners, modes = [], []
    for path in _everything(home):
        with contextlib.suppress(FileNotFoundError):  # the agent runs, and its files come and go
            status = path.lstat()
            if status.st_uid != os.geteuid():
                owners.append(f"{path} belongs to {_user(status.st_uid)}")
            elif not stat.S_ISLNK(status.st_mode) and status.st_mode & _OTHERS:
                modes.append(f"{path} has mode {stat.S_IMODE(status.st_mode):04o}")
    return owners, modes


def close(home: Path) -> None:
    """Let nobody else enter a home that is this user's, whatever the files in it are open for; a read-only disk may refuse."""
    with contextlib.suppress(OSError):
        if home.stat().st_mode & _OTHERS:
            home.chmod(0o700)


def make_private(home: Path) -> None:
    """Take what others may do from everything in a home that is this user's; an earlier version left most of it readable."""
    for path in _everything(home):
        with contextlib.suppress(OSError):  # `exposed` says what is left
            status = path.lstat()
            if status.st_uid == os.geteuid() and status.st_mode & _OTHERS and not stat.S_ISLNK(status.st_mode):
                os.chmod(path, stat.S_IMODE(status.st_mode) & ~_OTHERS)  # noqa: PTH101 - the path is ours alone, so nobody swaps it


def _everything(home: Path) -> Iterator[Path]:
    yield home
    for folder, folders, names in os.walk(home):
        yield from (Path(folder, name) for name in (*folders, *names))


def _owner_of(path: Path) -> str:
    try:
        return _user(path.stat().st_uid)
    except OSError:
        return "another user"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
