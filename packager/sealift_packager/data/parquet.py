"""Parquet files: a column is an array, a column of lists of one length an array with that many columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sealift_packager.errors import DataError, first_line
from sealift_packager.load.source import Array

#: Rows times columns, by what the file says of itself before any of it is unpacked: runs of one value take next to nothing in it.
MAX_CELLS: Final = 2**31
MAX_UNPACKED_BYTES: Final = 64 * 2**30


def read_parquet(path: Path) -> dict[str, Array]:
    """The columns of a Parquet file by name; `DataError`.

    pyarrow reads it: the format's own reference implementation, and what pandas uses.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataError("pyarrow is not installed", where=str(path), advice="pip install 'sealift-packager[parquet]'") from error
    try:
        file = parquet.ParquetFile(path)
        _check_size(file.metadata, path)
        table = file.read(use_threads=False)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"can't be read as Parquet ({first_line(error):.300})", where=str(path), expected="a whole .parquet file") from error
    return {name: _column(table.column(name), f"{path}: {name}") for name in table.column_names}


def _check_size(metadata: Any, path: Path) -> None:
    cells = metadata.num_rows * metadata.num_columns
    unpacked = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    if cells > MAX_CELLS or unpacked > MAX_UNPACKED_BYTES:
        raise DataError(
            "too much data",
            where=str(path),
            expected=f"at most {MAX_CELLS:,} values and {MAX_UNPACKED_BYTES >> 30} GiB",
            found=f"{cells:,} values, {unpacked:,} bytes",
            advice="A holdout of some thousand rows is enough.",
        )


def _column(column: Any, where: str) -> Array:
    import pyarrow as pa

    values = column.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    shape = [len(values)]
    while pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        lengths = set(values.value_lengths().to_pylist())
        if len(lengths) > 1 or None in lengths:
            raise DataError("lists of different lengths", where=where, expected="as many items in each row", advice="Pad them to one length.")
        shape.append(lengths.pop() if lengths else 0)
        values = values.flatten()
    if pa.types.is_decimal(values.type) or (pa.types.is_boolean(values.type) and values.null_count):
        values = values.cast(pa.int8() if pa.types.is_boolean(values.type) else pa.float64())  # what is missing becomes NaN below
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        raise DataError("a column of a kind that models don't take", where=where, expected="numbers, text, or lists of them", found=str(values.type))
    array: Array = values.to_numpy(zero_copy_only=False)
    return array.reshape(shape)
