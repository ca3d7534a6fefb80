"""Parquet files: a column is an array, a column of lists of one length an array with that many columns."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

from sealift_packager.archives.own_copy import OwnCopy
from sealift_packager.data.arrow import SMALLER, check_distinct, columns_of, reading_arrow
from sealift_packager.data.limits import LIMITS
from sealift_packager.errors import DataError
from sealift_packager.model.source import Array

_BATCH_ROWS: Final = 4096
_WIDTHS: Final = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}
#: Of 64 bits, or of text, which is a pointer at least.
_WIDTH: Final = 8


def read_parquet(copy: OwnCopy) -> dict[str, Array]:
    """The columns of a Parquet file by name; `DataError`.

    pyarrow reads it: the format's own reference implementation, and what pandas uses.
    """
    path = copy.path
    with reading_arrow(path, "Parquet", ".parquet"):
        from pyarrow import parquet

        with contextlib.closing(parquet.ParquetFile(path)) as file:
            check_distinct(file.schema_arrow.names, path)
            _check_size(file.metadata, path)
            batches = file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False)
            return columns_of(batches, file.schema_arrow, path)


def _check_size(metadata: Any, path: Path) -> None:
    """By what the file says of itself before any of it is unpacked: runs of one value take next to nothing in it."""
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    columns = [group.column(at) for group in groups for at in range(group.num_columns)]
    values = sum(column.num_values for column in columns)
    unpacked = sum(column.num_values * _WIDTHS.get(column.physical_type, _WIDTH) for column in columns)
    most = LIMITS.budget(path.stat().st_size)
    if any(column.num_values < 0 for column in columns) or values > LIMITS.values or unpacked > most:
        expected = f"at most {LIMITS.values:,} values and {most:,} bytes"
        raise DataError("too much data", where=str(path), expected=expected, found=f"{values:,} values, {unpacked:,} bytes", advice=SMALLER)
