"""An output directory appears whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_core import durable
from sealift_packager.errors import OutputError

_SUFFIX: Final = ".building"
#: A scratch directory is locked right after it is made.
_NEW_S: Final = 5.0


def check_free(target: Path, *, force: bool) -> None:
    """Raise `OutputError` if something stands where the output is to go, unless it may be replaced."""
    if not target.exists() and not target.is_symlink():
        return
    if not force:
        raise OutputError(
            "there is a file or folder at the output path already",
            where=str(target),
            advice="Choose another --out, or pass --force to replace an earlier release.",
        )
    if target.is_symlink() or not target.is_dir() or (any(target.iterdir()) and not (target / "oci-layout").is_file()):
        raise OutputError("only an earlier release can be replaced", where=str(target), expected="an OCI layout", found="something else")


@contextlib.contextmanager
def building(target: Path, *, force: bool) -> Iterator[Path]:
    """A scratch directory beside ``target``; its ``release`` becomes ``target``, durably, when the block ends without an error.

    Scratch directories of earlier builds of ``target`` that were killed are removed first.
    """
    check_free(target, force=force)
    parent = target.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent, target.name)
        scratch = Path(tempfile.mkdtemp(dir=parent, prefix=f".{target.name}.", suffix=_SUFFIX))
        held = _hold(scratch)
    except OSError as error:
        raise OutputError(f"can't be written ({error.strerror})", where=str(parent)) from error
    try:
        with durable.translate_full_disk(target):
            yield scratch
        _move(scratch, target, force=force)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if held is not None:
            os.close(held)


def _hold(scratch: Path) -> int | None:
    """Lock a scratch directory for as long as this process lives, or until the descriptor is closed; None if another process has it."""
    descriptor = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or on a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned(parent: Path, name: str) -> None:
    """Remove the scratch directories whose builds were killed; one that is a moment old may be about to be locked, and stays."""
    scratch_name = re.compile(rf"\.{re.escape(name)}\.[a-z0-9_]{{8}}{re.escape(_SUFFIX)}")
    with os.scandir(parent) as entries:
        abandoned = [parent / entry.name for entry in entries if scratch_name.fullmatch(entry.name) and _may_be_abandoned(entry)]
    for scratch in abandoned:
        with contextlib.suppress(OSError):
            held = _hold(scratch)
            if held is not None:
                shutil.rmtree(scratch, ignore_errors=True)
                os.close(held)


def _may_be_abandoned(entry: os.DirEntry[str]) -> bool:
    """Whether it is a directory of this user that nobody has made just now."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    return entry.is_dir(follow_symlinks=False) and status.st_uid == os.geteuid() and time.time() - status.st_mtime > _NEW_S


def _move(scratch: Path, target: Path, *, force: bool) -> None:
    try:
        durable.sync_tree(scratch / "release")
        check_free(target, force=force)
        if target.exists():
            target.rename(scratch / "replaced")
        (scratch / "release").rename(target)
        durable.sync_directory(target.absolute().parent)
    except OSError as error:
        raise OutputError(f"can't be written ({error.strerror})", where=str(target)) from error
