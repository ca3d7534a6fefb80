"""What may lie where a file should be: a link to the same bytes, a pipe, or a folder."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, replacement: str, away: Path) -> None:
    """Put a ``link``, a ``pipe`` or a ``folder`` in a file's place; its bytes are then at ``away``, where a link leads."""
    path.rename(away)
    if replacement == "link":
        path.symlink_to(away)
    elif replacement == "pipe":
        os.mkfifo(path)
    else:
        assert replacement == "folder"
        path.mkdir()
