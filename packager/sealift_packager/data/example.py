"""A whole request from a file, for ``--example``: any arrays by the inputs' names, of which no number of rows is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.archives.directory import Names
from sealift_packager.archives.limits import MAX_BYTES
from sealift_packager.archives.own_copy import OwnCopy, taken
from sealift_packager.data.files import plain, read_npz
from sealift_packager.errors import DataError, first_line
from sealift_packager.model.accepted import UNNAMED
from sealift_packager.model.source import Array

EXPECTED: Final = "a file ending in .npz (an array per input), .npy (for a model of one input) or .json ({input: nested lists})"
MAX_JSON_BYTES: Final = 64 * 2**20
_SUFFIXES: Final = (".npz", ".npy", ".json")


def read_example(path: Path, folder: Path | None = None) -> dict[str, Array]:
    """The arrays of a request by name, that of a `.npy` file under `UNNAMED`; `DataError`. Our own copy is read, from ``folder``."""
    where = f"--example {path}"
    if not path.is_file():
        raise DataError("no such example", where=where, expected=EXPECTED, found="nothing")
    if path.suffix.lower() not in _SUFFIXES:
        raise DataError("not a supported format of an example", where=where, expected=EXPECTED, found=path.suffix or "no suffix")
    with taken(path, folder, DataError, Names.LABELS) as copy:
        arrays = _read(copy, path, where)
    if not arrays:
        raise DataError("an example without arrays", where=where, expected=EXPECTED)
    return {name: plain(value, f"{where}: {name}") for name, value in arrays.items()}


def _read(copy: OwnCopy, path: Path, where: str) -> dict[str, Array]:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_npz(copy)
    most, advice = (MAX_JSON_BYTES, "Save it as .npz.") if suffix == ".json" else (MAX_BYTES, "Give a smaller example.")
    if copy.path.stat().st_size > most:
        raise DataError("the example is too large", where=where, expected=f"at most {most >> 20:,} MiB as {suffix}", advice=advice)
    try:
        if suffix == ".npy":
            return {UNNAMED: np.load(copy.path, allow_pickle=False)}
        return {name: np.asarray(value) for name, value in _json(copy.path).items()}
    except (ValueError, TypeError, OSError, RecursionError, EOFError) as error:
        raise DataError(f"can't be read as {suffix} (caused by: {first_line(error):.200})", where=where, expected=EXPECTED) from error


def _json(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_bytes())
    if not isinstance(document, dict):
        raise TypeError("not an object")
    return document
