"""CSV files: a header line and data rows, in bounded memory."""

from __future__ import annotations

import collections
import logging
import mmap
import re
import shutil
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.archives.own_copy import OwnCopy
from sealift_packager.data.csv_dialect import Dialect, dialect_of, is_data
from sealift_packager.data.encodings import as_western, describe_bytes
from sealift_packager.data.limits import LIMITS
from sealift_packager.errors import DataError, first_line
from sealift_packager.model.source import Array
from sealift_packager.progress.importing import importing

#: Words in a column of text that pandas takes for a missing value, and a person may not
#: (https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html).
MISSING_WORDS: Final = frozenset(
    (
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    )
)
_EXPECTED: Final = "a header line and data rows"
_ENOUGH: Final = "A holdout of a few thousand rows is enough."
_BOM: Final = b"\xef\xbb\xbf"
#: Lines that pandas skips.
_BLANK: Final = re.compile(rb"(?:[ \t]*+(?:\r\n?+|\n))*+")
#: By separator: a value, with what ends it; a quoted one may hold separators and line ends.
_FIELDS: Final = {
    separator: re.compile(rb'(?:"[^"]*+(?:""[^"]*+)*+"?+)?+[^%s\r\n]*+(%s|\r\n?+|\n|\Z)' % (re.escape(separator), re.escape(separator)))
    for separator in (b",", b";", b"\t", b"|")
}
#: As many bytes show how a file is written.
_HEAD_BYTES: Final = 2**18
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_AS_UTF8: Final = "Save it as UTF-8; Excel calls that CSV UTF-8."
_OTHER_ENCODING: Final = f"If that text is right: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW.csv. {_AS_UTF8}"
_EXCEL_LINE: Final = re.compile(rb"sep=[,;|\t]\r?\n")
#: What pandas calls a column without a name.
_UNNAMED: Final = re.compile(r"Unnamed: \d+")
#: How files of other formats begin, whatever they are called.
_OTHERS: Final = {
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "Save the sheet as CSV UTF-8."),
    b"PAR1": ("Parquet", "Let its name end in .parquet."),
    b"ARROW1": ("Arrow", "Let its name end in .feather."),
    b"\x1f\x8b": ("gzip", "Let its name end in .csv.gz."),
    b"BZh": ("bzip2", "Let its name end in .csv.bz2."),
    b"\xfd7zXZ": ("xz", "Let its name end in .csv.xz."),
    b"\x28\xb5\x2f\xfd": ("zstd", "Unpack it first."),
    b"SQLite format 3": ("a SQLite database", "Export the table as CSV."),
    b"\x80\x04\x95": ("a pickle", "Save the table with to_csv or to_parquet."),
    b"\x80\x05\x95": ("a pickle", "Save the table with to_csv or to_parquet."),
    b"%PDF": ("PDF", ""),
    b"<!DOCTYPE": ("an HTML page", "Was a login page saved in place of the file?"),
    b"<html": ("an HTML page", "Was a login page saved in place of the file?"),
    b"version https://git-lfs": ("a Git LFS pointer", "Fetch the file itself: git lfs pull."),
    b"{": ("JSON", "If it has a line for each row, let its name end in .jsonl."),
    b"[{": ("JSON", "Save a line for each row: table.to_json('data.jsonl', orient='records', lines=True)."),
}
_LOG: Final = logging.getLogger("sealift.pack")


def read_csv(copy: OwnCopy) -> dict[str, Array]:
    """The columns of a CSV file by name; `DataError`.

    A column of text is as the file has it: whether ``NA`` means that a value is missing, only the model can say (see `MISSING_WORDS`). A column
    without a name and a value, as a separator at the end of each line makes one, is left out.
    """
    _to_utf8(copy.path)
    table = read_table(copy.path)
    table = table.iloc[:, [at for at, name in enumerate(table.columns) if not (_UNNAMED.fullmatch(str(name)) and table.iloc[:, at].isna().all())]]
    texts = [at for at, dtype in enumerate(table.dtypes) if dtype.kind == "O"]
    columns = {str(name): table.iloc[:, at].to_numpy() for at, name in enumerate(table.columns)}
    if any(table.iloc[:, at].isna().any() for at in texts):
        names = [table.columns[at] for at in texts]
        written = read_table(copy.path, usecols=names, dtype=str, keep_default_na=False)
        for name in names:
            columns[str(name)] = written[name].to_numpy(dtype=object)
    return columns


def read_written(copy: OwnCopy, name: str) -> Array:
    """The text of a column that `read_csv` has read, which may be numbers to it."""
    _to_utf8(copy.path)
    table = read_table(copy.path, usecols=[name], dtype=str, keep_default_na=False)
    return np.asarray(table[name].to_numpy(dtype=object))


def repeated_names(copy: OwnCopy) -> frozenset[str]:
    """Names that several columns have: pandas numbers them."""
    header = read_table(copy.path, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = collections.Counter(header.iloc[0].tolist()) if len(header) else collections.Counter[str]()
    return frozenset(name for name, count in names.items() if count > 1 and name)


def _to_utf8(path: Path) -> None:
    """Write our copy anew as UTF-8 if it says that it is UTF-16, as Excel's Unicode text is; `DataError` if it isn't that."""
    with path.open("rb") as file:
        mark = file.read(2)
    if mark not in _UTF16:
        return
    target = path.with_name(f"{path.name}.utf8")
    try:
        with path.open(encoding="utf-16", newline="") as wide, target.open("w", encoding="utf-8", newline="") as out:
            shutil.copyfileobj(wide, out)
    except UnicodeError as error:
        raise DataError("the file isn't UTF-16 text, though it begins like it", where=str(path), expected="UTF-8", advice=_AS_UTF8) from error
    target.replace(path)


def read_table(path: Path, **options: Any) -> Any:
    """A pandas table within `LIMITS`: of bytes and columns before it is read, of rows while it is; ``options`` are pandas' own."""
    with importing():
        import pandas as pd

    size = path.stat().st_size
    if size > LIMITS.csv_bytes:
        raise _too_much(path, f"at most {LIMITS.csv_bytes:,} bytes", f"{size:,}")
    dialect = _dialect(path, size)
    pd.Series(["text"])  # at the first one, pyarrow's allocator sets 1 GiB aside, which is not the file's doing
    try:
        with bounded_memory(path, DataError), warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Without index_col, values that have no name would silently move the names of all others; in parts (low_memory), a column's values would
            # be numbers in one part and text in another.
            fixed: Any = {"nrows": LIMITS.csv_rows + 1, "compression": None, "index_col": False, "low_memory": False, **dialect.options()}
            table: Any = pd.read_csv(path, **(fixed | options))
    except DataError:
        raise
    except pd.errors.ParserWarning as error:
        advice = "Name every column, and remove a title above the names. R: write.csv(table, row.names = FALSE)."
        raise DataError(
            "rows with more values than the header line has names", where=str(path), expected="a name for each column", advice=advice
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            "the file isn't UTF-8 text",
            where=str(path),
            expected="UTF-8",
            found=describe_bytes(error.object, error.start),
            advice=_OTHER_ENCODING if as_western(error.object, error.start) else _AS_UTF8,
        ) from error
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"can't be read as CSV (caused by: {first_line(error)})", where=str(path), expected=_EXPECTED) from error
    if len(table) > LIMITS.csv_rows:
        raise _too_much(path, f"at most {LIMITS.csv_rows:,} rows", "more")
    return table


def _dialect(path: Path, size: int) -> Dialect:
    """How the file is written, once its header line and its first row are checked."""
    if not size:
        raise DataError("the file is empty", where=str(path), expected=_EXPECTED)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:2] in _UTF16:
            raise DataError("the file isn't UTF-8 text", where=str(path), expected="UTF-8", found="UTF-16", advice=_AS_UTF8)
        other = next((names for begin, names in _OTHERS.items() if data[: len(begin)] == begin), None)
        if other is not None:
            raise DataError("the file isn't CSV", where=str(path), expected=_EXPECTED, found=other[0], advice=other[1] or None)
        nul = data.find(b"\0")
        if nul >= 0:  # older releases of pandas end the value there
            advice = f"If the file is UTF-16, save it as UTF-8. Otherwise remove the character with the code 0 at byte {nul:,}."
            raise DataError("the file isn't text", where=str(path), expected="UTF-8", found="a byte 0x0", advice=advice)
        start = len(_BOM) if data[: len(_BOM)] == _BOM else 0
        if _EXCEL_LINE.match(data, start):
            found, advice = f"sep={chr(data[start + 4])}", "Remove this line, which only Excel understands."
            raise DataError("the first line names the separator", where=str(path), expected=_EXPECTED, found=found, advice=advice)
        dialect = dialect_of(data[start:_HEAD_BYTES])
        _check_first_records(path, data, start, dialect)
    if dialect != Dialect():
        _LOG.info("%s: columns are separated by %r, and decimals begin with %r", path.name, dialect.separator.decode(), dialect.decimal)
    return dialect


def _check_first_records(path: Path, data: mmap.mmap, start: int, dialect: Dialect) -> None:
    """The header line and the first row, which decide how many columns pandas makes: as it finds them, so behind blank lines and in quotes too."""
    columns, end = _record(data, start, dialect.separator)
    if columns > LIMITS.csv_columns or end > LIMITS.csv_header_bytes:
        raise _too_much(path, f"a header line of at most {LIMITS.csv_columns:,} columns and {LIMITS.csv_header_bytes >> 20} MiB", "more")
    values, _ = _record(data, end, dialect.separator)
    if values > LIMITS.csv_columns:
        raise _too_much(path, f"a first row of at most {LIMITS.csv_columns:,} values", "more")
    header = data[start:end].strip()
    if is_data(header, dialect):
        raise DataError(
            "the first line holds numbers, not names",
            where=str(path),
            expected=_EXPECTED,
            found=repr(header[:60].decode(errors="replace")),
            advice="Add a line with a name for each column, the target too.",
        )


def _record(data: mmap.mmap, start: int, separator: bytes) -> tuple[int, int]:
    """How many values the first record from ``start`` on has, counted up to one more than may be, and where it ends."""
    blank = _BLANK.match(data, start)
    values, end, ended_by = 0, blank.end() if blank else start, separator
    while ended_by == separator and values <= LIMITS.csv_columns:
        field = _FIELDS[separator].match(data, end)
        if field is None:
            break
        values, end, ended_by = values + 1, field.end(), field[1]
    return values, end


def _too_much(path: Path, expected: str, found: str) -> DataError:
    return DataError("too much data", where=str(path), expected=expected, found=found, advice=_ENOUGH)
