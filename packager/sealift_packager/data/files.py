"""Arrays by name from a file, before anything is known of the model."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.errors import nearest
from sealift_packager.archives.directory import Names
from sealift_packager.archives.npz import read_arrays
from sealift_packager.archives.own_copy import OwnCopy, taken
from sealift_packager.archives.refusals import ARRAYS, Refusals
from sealift_packager.data.csv import MISSING_WORDS, read_csv
from sealift_packager.data.images import ImageFolder, list_images
from sealift_packager.data.parquet import read_parquet
from sealift_packager.errors import DataError, first_line
from sealift_packager.model.source import Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """The arrays of a file, rows first.

    ``missing_words`` are texts that stand for a missing value, unless the model knows them as a value: a CSV file can't tell the two apart.
    """

    path: Path
    digest: Digest
    arrays: dict[str, Array]
    missing_words: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        """How many."""
        return len(next(iter(self.arrays.values())))


def read_data(path: Path, folder: Path | None = None) -> DataFile | ImageFolder:
    """Read a holdout file by its suffix, or list a folder of images; `DataError`.

    The file is opened once; our own copy is read, which lies in ``folder`` (else where temporary files go) meanwhile.
    """
    if path.is_dir():
        return list_images(path)
    if not path.is_file():
        raise DataError("no such data file", where=str(path), expected=_EXPECTED, found="nothing")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        advice = _UNPACK if path.suffix.lower() in _PACKED else nearest(path.suffix, list(READERS))
        raise DataError("not a supported data format", where=str(path), expected=_EXPECTED, found=path.suffix or "no suffix", advice=advice)
    with taken(path, folder, DataError, Names.LABELS) as copy:
        read = reader(copy)
    arrays = {name: plain(value, f"{path}: {name}") for name, value in read.items()}
    counts = {name: len(value) if value.ndim else 0 for name, value in arrays.items()}
    if counts and not any(counts.values()):
        raise DataError("the data has no rows", where=str(path), expected="at least one row")
    if not counts or 0 in counts.values() or len(set(counts.values())) != 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise DataError(
            "the arrays have different numbers of rows, or none",
            where=str(path),
            found=listed[:500] or "no arrays",
            advice="Put one row per example into every array.",
        )
    return DataFile(path=path, digest=copy.digest, arrays=arrays, missing_words=MISSING_WORDS if reader is read_csv else frozenset())


def data_tools(path: Path | None) -> str:
    """The word for `tools.tool_versions` of what reads the data beside numpy and pandas; empty if nothing does."""
    if path is None:
        return ""
    return "images" if path.is_dir() else "parquet" if READERS.get(path.suffix.lower()) is read_parquet else ""


def read_npz(copy: OwnCopy) -> dict[str, Array]:
    """The arrays of an ``.npz`` file; `DataError`."""
    try:
        return read_arrays(copy, Refusals(where=str(copy.path), error=DataError))
    except DataError:
        raise
    except Exception as error:  # zipfile's and numpy's readers have errors of many kinds
        raise DataError(f"can't be read as .npz (caused by: {first_line(error)})", where=str(copy.path), expected=ARRAYS) from error


def plain(value: Array, where: str) -> Array:
    """Text as objects holding ``str``; numbers as they are, truths as 0 and 1; nothing else."""
    if value.dtype.kind in "iuf":
        return value
    if value.dtype.kind == "b":
        return np.asarray(value.view(np.uint8) != 0)  # a file may hold other bytes, which count as they are
    if value.dtype.kind not in "OUT":
        raise _not_taken(where, str(value.dtype))
    if value.dtype.kind == "U" and value.size and value.dtype.itemsize:
        codes = np.ascontiguousarray(value).view(np.dtype(np.uint32).newbyteorder(value.dtype.byteorder))
        if codes.max() > sys.maxunicode:
            raise _not_text(where)
    texts = np.empty(value.shape, dtype=object)
    texts.ravel()[:] = [_text(item, where) for item in value.ravel()]
    return texts


def _text(item: object, where: str) -> str:
    if item is None or (isinstance(item, float | np.floating) and item != item):
        return ""
    if not isinstance(item, str | bool | int | float | np.number | np.bool_):
        raise _not_taken(where, type(item).__name__)
    text = str(item)
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair
        raise _not_text(where) from error
    return text


def _not_taken(where: str, found: str) -> DataError:
    advice = "Convert it to numbers or text, or leave it out."
    return DataError("values of a type that models don't accept", where=where, expected="numbers or text", found=found, advice=advice)


def _not_text(where: str) -> DataError:
    return DataError("text with characters that don't exist", where=where, expected="Unicode text", advice="Is the file damaged? Save it again.")


_PACKED: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")
_UNPACK: Final = "Unpack it first."
READERS: Final[dict[str, Callable[[OwnCopy], dict[str, Array]]]] = {
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
_EXPECTED: Final = "a file ending in .npz, .csv, .tsv or .parquet, a folder of images, or module:function"
