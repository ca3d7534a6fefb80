"""An output directory appears whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sealift_packager.errors import OutputError
from sealift_runtime import durable


def check_free(target: Path, *, force: bool) -> None:
    """Raise `OutputError` if something stands where the output is to go, unless it may be replaced."""
    if not target.exists() and not target.is_symlink():
        return
    if not force:
        raise OutputError("the output place is taken", where=str(target), advice="Choose another --out, or give --force to replace it.")
    if target.is_symlink() or not target.is_dir() or (any(target.iterdir()) and not (target / "oci-layout").is_file()):
        raise OutputError("only an earlier release is replaced", where=str(target), expected="an OCI layout", found="something else")


@contextlib.contextmanager
def building(target: Path, *, force: bool) -> Iterator[Path]:
    """A scratch directory beside ``target``; its ``release`` becomes ``target``, durably, when the block ends without an error."""
    check_free(target, force=force)
    parent = target.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=parent, prefix=f".{target.name}.", suffix=".building"))
    except OSError as error:
        raise OutputError(f"can't be written ({error.strerror})", where=str(parent)) from error
    try:
        with durable.translate_full_disk(target):
            yield scratch
        _move(scratch, target, force=force)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
