"""Parquet files: a column is an array, a column of lists of one length an array with that many columns."""

from __future__ import annotations

import collections
import contextlib
from pathlib import Path
from typing import Any, Final

from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.archives.own_copy import OwnCopy
from sealift_packager.data.limits import LIMITS
from sealift_packager.errors import DataError, first_line
from sealift_packager.model.source import Array

_BATCH_ROWS: Final = 4096
_WIDTHS: Final = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}
#: Of 64 bits, or of text, which is a pointer at least.
_WIDTH: Final = 8
_ADVICE: Final = "A holdout of a few thousand rows is enough."


def read_parquet(copy: OwnCopy) -> dict[str, Array]:
    """The columns of a Parquet file by name; `DataError`.

    pyarrow reads it: the format's own reference implementation, and what pandas uses.
    """
    path = copy.path
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataError("pyarrow is not installed", where=str(path), advice="pip install pyarrow") from error
    pyarrow.allocate_buffer(1)  # its allocator sets 1 GiB aside for the first one
    try:
        with bounded_memory(path, DataError), contextlib.closing(parquet.ParquetFile(path)) as file:
            check_names(file.schema_arrow.names, path)
            _check_size(file.metadata, path)
            table = pyarrow.Table.from_batches(_batches(file, path), schema=file.schema_arrow)
            return {name: as_array(table.column(name), path, name) for name in table.column_names}
    except DataError:
        raise
    except (OSError, ValueError, MemoryError, pyarrow.ArrowException) as error:
        raise DataError(
            f"can't be read as Parquet (caused by: {first_line(error):.300})", where=str(path), expected="a complete .parquet file"
        ) from error


def check_names(names: list[str], path: Path) -> None:
    """Raise `DataError` where two columns have one name."""
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise DataError("two columns have the same name", where=f"{path}: {twice[0]}", advice="Rename one of them.")


def _check_size(metadata: Any, path: Path) -> None:
    """By what the file says of itself before any of it is unpacked: runs of one value take next to nothing in it."""
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    columns = [group.column(at) for group in groups for at in range(group.num_columns)]
    values = sum(column.num_values for column in columns)
    unpacked = sum(column.num_values * _WIDTHS.get(column.physical_type, _WIDTH) for column in columns)
    most = LIMITS.budget(path.stat().st_size)
    if any(column.num_values < 0 for column in columns) or values > LIMITS.values or unpacked > most:
        expected = f"at most {LIMITS.values:,} values and {most:,} bytes"
        raise DataError("too much data", where=str(path), expected=expected, found=f"{values:,} values, {unpacked:,} bytes", advice=_ADVICE)


def _batches(file: Any, path: Path) -> list[Any]:
    """A file need not be what it says, and text is as long as it is: counted while it is read."""
    batches, total, most = [], 0, LIMITS.budget(path.stat().st_size)
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
        batches.append(batch)
        total += batch.nbytes
        if total > most:
            raise DataError("too much data", where=str(path), expected=f"at most {most:,} bytes", found="more", advice=_ADVICE)
    return batches


def _check_decoded(values: Any, path: Path) -> None:
    """Many rows may name one long text of a dictionary: what they come to is counted before it is made."""
    import pyarrow as pa
    from pyarrow import compute

    most = LIMITS.budget(path.stat().st_size)
    value_type = values.type.value_type
    if pa.types.is_primitive(value_type) or pa.types.is_decimal(value_type) or pa.types.is_null(value_type):
        return
    if value_type not in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        raise DataError("a dictionary column of another type", where=str(path), expected="numbers or text", found=f"{value_type!s:.200}")
    total = compute.sum(compute.take(compute.binary_length(values.dictionary), values.indices)).as_py() or 0
    if total > most:
        raise DataError("too much data", where=str(path), expected=f"at most {most:,} bytes", found=f"{total:,} bytes of text", advice=_ADVICE)


def as_array(column: Any, path: Path, name: str) -> Array:
    """A column of pyarrow's as an array [rows, …]; `DataError` for a type that no model takes."""
    import pyarrow as pa

    where = f"{path}: {name}"
    values = column.combine_chunks()
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage if isinstance(values, pa.ExtensionArray) else values.cast(values.type.storage_type)
    shape = [len(values)]
    while pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        lengths = set(values.value_lengths().to_pylist())
        if len(lengths) > 1 or None in lengths:
            raise DataError(
                "the lists differ in length", where=where, expected="the same number of items in each row", advice="Pad them to one length."
            )
        shape.append(lengths.pop() if lengths else 0)
        values = values.flatten()
    if pa.types.is_dictionary(values.type):
        _check_decoded(values, path)
        values = values.dictionary_decode()
    if pa.types.is_decimal(values.type) or (pa.types.is_boolean(values.type) and values.null_count):
        values = values.cast(pa.int8() if pa.types.is_boolean(values.type) else pa.float64())  # what is missing becomes NaN below
    if pa.types.is_nested(values.type) or _holds_bytes(values.type):
        raise DataError(
            "a column of a type that models don't accept", where=where, expected="numbers, text, or lists of them", found=str(values.type)
        )
    array: Array = values.to_numpy(zero_copy_only=False)
    return array.reshape(shape)


def _holds_bytes(arrow_type: Any) -> bool:
    from pyarrow import types

    return bool(
        types.is_binary(arrow_type) or types.is_large_binary(arrow_type) or types.is_binary_view(arrow_type) or types.is_fixed_size_binary(arrow_type)
    )
