"""Arrays by name from a file, before anything is known of the model."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.errors import nearest
from sealift_packager.archives.directory import Names, read_directory
from sealift_packager.archives.npz import read_arrays
from sealift_packager.archives.own_copy import ARCHIVE, OwnCopy, open_plain, taken
from sealift_packager.archives.packed import unpack_in_place
from sealift_packager.archives.refusals import ARRAYS, Refusals
from sealift_packager.data.csv import MISSING_WORDS, read_csv, read_written, repeated_names
from sealift_packager.data.feather import read_feather
from sealift_packager.data.images import ImageFolder, list_images
from sealift_packager.data.json_lines import read_jsonl
from sealift_packager.data.limits import LIMITS
from sealift_packager.data.parquet import read_parquet
from sealift_packager.errors import DataError, first_line
from sealift_packager.model.foreign import EXCEL, OLD_EXCEL, OPEN_DOCUMENT, foreign_file, foreign_layout
from sealift_packager.model.source import Array


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """The arrays of a file, rows first.

    ``missing_words`` are texts that stand for a missing value, unless the model knows them as a value: a CSV file can't tell the two apart.
    ``repeated`` are names that several columns have, which were numbered. ``written`` are columns of numbers and truth values as the text that they
    are in such a file, where a model may have been trained with that; ``read_text`` reads that of another column.
    """

    path: Path
    digest: Digest
    arrays: dict[str, Array]
    missing_words: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()
    written: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    read_text: Callable[[str], Array] | None = None

    @property
    def rows(self) -> int:
        """How many."""
        return len(next(iter(self.arrays.values())))


def read_data(path: Path, folder: Path | None = None, target: str | None = None) -> DataFile | ImageFolder:
    """Read a holdout file by its suffix, or list a folder of images; `DataError`.

    The file is opened once; our own copy is read, which lies in ``folder`` (else where temporary files go) meanwhile. Of a ``target`` that a file
    of text holds as numbers, the text is kept too.
    """
    if path.is_dir():
        return list_images(path)
    if not path.is_file():
        raise DataError("no such data file", where=str(path), expected=_EXPECTED, found="nothing")
    with _opened(path, folder) as (copy, reader):
        read = reader(copy)
        numbers = reader is read_csv and target in read and read[target].dtype.kind in "iufb"
        repeated = repeated_names(copy) if reader is read_csv else frozenset[str]()
        written = {target: read_written(copy, target)} if numbers and target is not None else {}
    arrays = {name: plain(value, f"{path}: {name}") for name, value in read.items()}
    _check_rows(arrays, path)
    words = MISSING_WORDS if reader is read_csv else frozenset[str]()
    text = functools.partial(_read_text, path, folder, copy.digest) if reader is read_csv else None
    return DataFile(path=path, digest=copy.digest, arrays=arrays, missing_words=words, repeated=repeated, written=written, read_text=text)


def _read_text(path: Path, folder: Path | None, digest: Digest, name: str) -> Array:
    """A column of a file that was read before, as the text that it has there; `DataError` if the file is another one now."""
    with _opened(path, folder) as (copy, _):
        if copy.digest != digest:
            raise DataError("the file changed while it was read", where=str(path), expected="the same content", advice="Run the command again.")
        return plain(read_written(copy, name), f"{path}: {name}")


def read_columns(path: Path, folder: Path | None = None) -> dict[str, Array]:
    """The arrays of a file in the types that it has them in; as `read_data` otherwise."""
    with _opened(path, folder) as (copy, reader):
        return reader(copy)


@contextlib.contextmanager
def _opened(path: Path, folder: Path | None) -> Iterator[tuple[OwnCopy, Callable[[OwnCopy], dict[str, Array]]]]:
    """Our own copy of a file, unpacked, and what reads it."""
    if path.suffix.lower() not in READERS and (sheet := _spreadsheet(path)):
        raise DataError("not a supported data format", where=str(path), expected=_EXPECTED, found=sheet, advice=_SAVE_SHEET)
    packed, reader = _reader(path)
    _check_kind(path, reader)
    with taken(path, folder, DataError, Names.LABELS) as copy:
        if packed:
            unpack_in_place(copy.path, LIMITS.csv_bytes, DataError)
        yield copy, reader


def _reader(path: Path) -> tuple[bool, Callable[[OwnCopy], dict[str, Array]]]:
    """Whether the file is compressed, and what reads it; `DataError` if nothing does."""
    suffix, inner = path.suffix.lower(), Path(path.stem).suffix.lower()
    if suffix in _PACKED and inner in _TEXTS:
        return True, READERS[inner]
    if suffix in READERS:
        return False, READERS[suffix]
    other = next((advice for suffixes, advice in _OTHERS.items() if suffix in suffixes), None)
    advice = other or nearest(suffix, list(READERS))
    raise DataError("not a supported data format", where=str(path), expected=_EXPECTED, found=path.suffix or "no suffix", advice=advice)


def _check_kind(path: Path, reader: Callable[[OwnCopy], dict[str, Array]]) -> None:
    """Raise `DataError` for a spreadsheet or another archive, whatever its name is: it would be called a damaged file of another format."""
    if sheet := _spreadsheet(path):
        raise DataError(f"the file is {sheet}", where=str(path), expected=_EXPECTED, advice=_SAVE_SHEET)
    with open_plain(path, DataError) as file:
        if reader is not read_npz and file.read(4) in ARCHIVE:
            raise DataError("the file is a zip archive", where=str(path), expected=_EXPECTED, advice="Unpack it, and pass the table in it.")


def _spreadsheet(path: Path) -> str:
    """What kind of spreadsheet a file is, by its content; empty if it is none."""
    with open_plain(path, DataError) as file:
        head, foreign = file.read(8), None
        if head[:4] in ARCHIVE:
            with contextlib.suppress(DataError):  # an archive that is damaged: what reads it says so
                members = read_directory(file, Refusals(where=str(path), error=DataError), Names.LABELS).members
                foreign = foreign_layout([member.name for member in members])
        else:
            foreign = foreign_file(head)
    return foreign.name if foreign in (EXCEL, OLD_EXCEL, OPEN_DOCUMENT) else ""


def _check_rows(arrays: dict[str, Array], path: Path) -> None:
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


def data_tools(path: Path | None) -> str:
    """The word for `tools.tool_versions` of what reads the data beside numpy and pandas; empty if nothing does."""
    if path is None:
        return ""
    return "images" if path.is_dir() else "parquet" if READERS.get(path.suffix.lower()) in (read_parquet, read_feather) else ""


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


READERS: Final[dict[str, Callable[[OwnCopy], dict[str, Array]]]] = {
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".feather": read_feather,
    ".arrow": read_feather,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
}
#: Formats that are read when they are compressed too, and what compresses them.
_TEXTS: Final = (".csv", ".tsv", ".jsonl", ".ndjson")
_PACKED: Final = (".gz", ".bz2", ".xz")
_EXPECTED: Final = (
    "a file ending in .npz, .csv, .tsv, .jsonl, .parquet, .feather or .arrow (text also with .gz, .bz2, .xz), a folder of images, or module:function"
)
_SAVE_SHEET: Final = (
    "Save the sheet as CSV UTF-8, or with pandas as Parquet, which keeps types: pandas.read_excel('FILE').to_parquet('data.parquet', index=False)."
)
_WITH_PANDAS: Final = "Read it with pandas and save it with table.to_parquet('data.parquet') or table.to_csv('data.csv', index=False)."
#: What to do about files of other formats, by their suffixes.
_OTHERS: Final = {
    (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"): _SAVE_SHEET,
    (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".tar", ".tgz", ".lz4"): "Unpack it first.",
    (".txt", ".dat", ".data", ".text"): "If it is a table of text, let its name end in .csv.",
    (".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".orc", ".avro", ".dta", ".sav", ".sas7bdat", ".rds", ".rdata", ".db", ".sqlite"): _WITH_PANDAS,
    (".json",): "Save a line of JSON for each row: table.to_json('data.jsonl', orient='records', lines=True).",
    (".npy",): "Save inputs and target by name: numpy.savez('data.npz', features=X, target=y).",
    (".arff", ".libsvm", ".svm", ".svmlight"): "Save it as .npz, or with --data module:function give (X, y).",
}
