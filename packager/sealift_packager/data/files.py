"""Arrays by name from ``.npz`` and ``.csv`` files, before anything is known of the model."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.archives import check_archive
from sealift_packager.errors import DataError
from sealift_packager.load.source import Array
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.documents import nearest


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """The arrays of a file, rows first."""

    path: Path
    digest: Digest
    arrays: dict[str, Array]

    @property
    def rows(self) -> int:
        """How many."""
        return len(next(iter(self.arrays.values())))


def read_data(path: Path) -> DataFile:
    """Read a holdout file by its suffix; `DataError`."""
    if not path.is_file():
        raise DataError("no such data file", where=str(path), expected=_EXPECTED, found="a directory" if path.is_dir() else "nothing")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError("not a known kind of data", where=str(path), expected=_EXPECTED, found=path.suffix or "no suffix", advice=_near(path.suffix))
    arrays = reader(path)
    rows = {name: len(value) if value.ndim else 0 for name, value in arrays.items()}
    if rows and not any(rows.values()):
        raise DataError("the data has no rows", where=str(path), expected="rows to judge the model by")
    if not rows or 0 in rows.values() or len(set(rows.values())) != 1:
        found = ", ".join(f"{name}: {count}" for name, count in rows.items())
        raise DataError("arrays must have rows, all equally many", where=str(path), found=found[:500] or "no arrays")
    return DataFile(path=path, digest=Digest.of_file(path), arrays=arrays)


def _near(suffix: str) -> str | None:
    return nearest(suffix, list(READERS))


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as packed:
            check_archive(packed, path, DataError)
        with np.load(path, allow_pickle=False) as archive:
            return {name: _plain(np.asarray(archive[name])) for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"can't be read as .npz ({error})", where=str(path), expected="a whole archive of plain arrays (no objects)") from error


def _read_csv(path: Path) -> dict[str, Array]:
    import pandas as pd

    try:
        table: Any = pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"can't be read as CSV ({error})", where=str(path), expected="a header line and rows") from error
    return {str(name): _plain(table[name].to_numpy()) for name in table.columns}


def _plain(value: Array) -> Array:
    """Text as objects holding ``str``; everything else as it is."""
    if value.dtype.kind not in "OUT":
        return value
    texts = np.empty(value.shape, dtype=object)
    texts.ravel()[:] = ["" if item is None or item != item else str(item) for item in value.ravel()]
    return texts


READERS: Final[dict[str, Callable[[Path], dict[str, Array]]]] = {".npz": _read_npz, ".csv": _read_csv}
_EXPECTED: Final = f"a file ending in {' or '.join(READERS)}"
