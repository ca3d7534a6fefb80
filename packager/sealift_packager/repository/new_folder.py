"""A folder that appears with all of its content or not at all, also where it is the root of an empty medium."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_core import durable

#: What systems put on an empty medium.
_OF_SYSTEMS: Final = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN", ".Trashes", ".fseventsd", ".Spotlight-V100"})
_INSIDE: Final = ".sealift.partial"


def is_free(target: Path) -> bool:
    """Whether a folder can be made at a path: nothing is there, or an empty folder of its own, such as a mounted medium."""
    if not os.path.lexists(target):
        return True
    return target.is_dir() and not target.is_symlink() and not _taken(target)


@contextlib.contextmanager
def new_folder(target: Path, *, last: str) -> Iterator[Path]:
    """A folder to fill, which becomes ``target``, durably, when the block ends without an error; otherwise nothing is left.

    It is made beside the target and renamed. An empty folder that is there already is kept, because a mount point can be neither renamed nor
    replaced, and whoever may write to a medium often can't write beside it: then all is made inside and moved up, the entry ``last`` at the end.

    Raises `StoreError` or `DiskFullError` if it can't be written.
    """
    target = target.absolute()
    inside = target.is_dir()
    building = target / _INSIDE if inside else target.with_name(f".{target.name}.partial")
    with durable.translate_disk_errors(target):
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        try:
            yield building
            durable.sync_tree(building)
            if inside:
                _move_up(building, target, last)
            else:
                building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        durable.sync_directory(target if inside else target.parent)


def _move_up(building: Path, target: Path, last: str) -> None:
    """Move all entries up; if one can't be, none stays."""
    moved: list[Path] = []
    try:
        for entry in sorted(building.iterdir(), key=lambda entry: (entry.name == last, entry.name)):
            entry.rename(target / entry.name)
            moved.append(target / entry.name)
        building.rmdir()
    except OSError:
        for entry in moved:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        raise


def _taken(folder: Path) -> bool:
    return any(name not in _OF_SYSTEMS | {_INSIDE} for name in os.listdir(folder))  # noqa: PTH208  # names are all that is wanted
