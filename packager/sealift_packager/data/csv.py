"""CSV files: a header line and data rows, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.archives.own_copy import OwnCopy
from sealift_packager.data.limits import LIMITS
from sealift_packager.errors import DataError, first_line
from sealift_packager.model.source import Array

_ENOUGH: Final = "A holdout of a few thousand rows is enough."


def read_csv(copy: OwnCopy) -> dict[str, Array]:
    """The columns of a CSV file by name; `DataError`."""
    table = read_table(copy.path)
    return {str(name): table[name].to_numpy() for name in table.columns}


def read_table(path: Path, **options: Any) -> Any:
    """A pandas table within `LIMITS`: of bytes and columns before it is read, of rows while it is; ``options`` are pandas' own."""
    import pandas as pd

    size = path.stat().st_size
    if size > LIMITS.csv_bytes:
        raise _too_much(path, f"at most {LIMITS.csv_bytes:,} bytes", f"{size:,}")
    with path.open("rb") as file:
        header = file.readline(LIMITS.csv_header_bytes + 1)
    if len(header) > LIMITS.csv_header_bytes or header.count(b",") >= LIMITS.csv_columns:
        raise _too_much(path, f"a header line of at most {LIMITS.csv_columns:,} columns and {LIMITS.csv_header_bytes >> 20} MiB", "more")
    try:
        with bounded_memory(path, DataError):
            table: Any = pd.read_csv(path, nrows=LIMITS.csv_rows + 1, compression=None, **options)
    except DataError:
        raise
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"can't be read as CSV (caused by: {first_line(error)})", where=str(path), expected="a header line and data rows") from error
    if len(table) > LIMITS.csv_rows:
        raise _too_much(path, f"at most {LIMITS.csv_rows:,} rows", "more")
    return table


def _too_much(path: Path, expected: str, found: str) -> DataError:
    return DataError("too much data", where=str(path), expected=expected, found=found, advice=_ENOUGH)
