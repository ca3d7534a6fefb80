"""Whether a folder is one's own alone: what is read from the cache decides what is built and signed.

1. Every folder on the way to it, links followed, belongs to this user or to root, and nobody else may write to it, unless its sticky bit keeps
   others from renaming what isn't theirs (as in ``/tmp``).
2. The folder itself belongs to this user, and nobody else may write to it.
3. A file in it is a plain file of this user's that nobody else may write to.

A group counts as nobody else if it is this user's private one: of the same name, and without other members.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from sealift_packager.errors import PackagerError


def private_folder(folder: Path, *, where: str) -> Path:
    """The folder, made (mode 0700) if it isn't there, links followed; `PackagerError` unless rules 1 and 2 hold. ``where`` names the setting.

    A folder that can't be made is given back all the same: nothing is read from it.
    """
    place = Path(os.path.realpath(folder))
    for parent in reversed(place.parents):
        if parent.exists():
            _check_parent(parent, where)  # 1
    try:
        for folder in (*reversed(place.parents), place):
            folder.mkdir(mode=0o700, exist_ok=True)
        status = place.lstat()
    except OSError:
        return place
    if status.st_uid != os.geteuid():  # 2
        raise _refused("the cache belongs to another user", place, where, f"a folder of the user {os.geteuid()}", f"one of the user {status.st_uid}")
    if _others_may_write(status):
        advice = f"Run `chmod -R go-w {place}` if nobody else has written there, or name another folder, or pass --no-cache."
        raise _refused("other users may write to the cache", place, where, "mode 0700", f"mode {stat.S_IMODE(status.st_mode):04o}", advice)
    return place


def read_private(path: Path) -> bytes | None:
    """A file's bytes, or None unless rule 3 holds or if it can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            mine = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not _others_may_write(status)  # 3
            return file.read() if mine else None
    except OSError:
        return None


def _check_parent(parent: Path, where: str) -> None:
    status = parent.stat()
    if status.st_uid not in (0, os.geteuid()):
        expected = f"folders of root or of the user {os.geteuid()}"
        raise _refused("a folder above the cache belongs to another user", parent, where, expected, f"one of the user {status.st_uid}")
    if _others_may_write(status) and not status.st_mode & stat.S_ISVTX:
        expected, mode = "no write permission for others, or the sticky bit", f"mode {stat.S_IMODE(status.st_mode):04o}"
        raise _refused("other users may replace a folder above the cache", parent, where, expected, mode)


def _refused(message: str, folder: Path, where: str, expected: str, found: str, advice: str | None = None) -> PackagerError:
    advice = advice or "Name a folder of your own, or pass --no-cache: anyone who can write to the cache can change what is built."
    return PackagerError(message, where=f"{where}: {folder}", expected=expected, found=found, advice=advice)


def _others_may_write(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_private_group(status.st_gid)


def _is_private_group(group: int) -> bool:
    try:
        user, members = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and members.gr_name == user.pw_name and set(members.gr_mem) <= {user.pw_name}
