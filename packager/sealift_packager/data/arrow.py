"""What Parquet, Feather and Arrow files have in common: pyarrow reads them, batch by batch and in bounded memory."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.data.limits import LIMITS
from sealift_packager.errors import DataError, first_line
from sealift_packager.model.source import Array

SMALLER: Final = "A holdout of a few thousand rows is enough."


@contextlib.contextmanager
def reading_arrow(path: Path, name: str, suffixes: str) -> Iterator[None]:
    """A block that reads a file of the format ``name`` with pyarrow, in bounded memory; what it raises becomes a `DataError`."""
    try:
        import pyarrow
    except ImportError as error:
        raise DataError("pyarrow is not installed", where=str(path), advice="pip install pyarrow") from error
    pyarrow.allocate_buffer(1)  # its allocator sets 1 GiB aside for the first one
    try:
        with bounded_memory(path, DataError):
            yield
    except DataError:
        raise
    except (OSError, ValueError, MemoryError, pyarrow.ArrowException) as error:
        raise DataError(
            f"can't be read as {name} (caused by: {first_line(error):.300})", where=str(path), expected=f"a complete {suffixes} file"
        ) from error


def check_distinct(names: list[str], path: Path) -> None:
    """Raise `DataError` where two columns have one name."""
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise DataError("two columns have the same name", where=f"{path}: {twice[0]}", advice="Rename one of them.")


def columns_of(batches: Iterable[Any], schema: Any, path: Path) -> dict[str, Array]:
    """The columns of all batches by name.

    A file need not be what it says, and text is as long as it is: bytes are counted while it is read.
    """
    import pyarrow

    kept, total, most = [], 0, LIMITS.budget(path.stat().st_size)
    for batch in batches:
        kept.append(batch)
        total += batch.nbytes
        if total > most:
            raise DataError("too much data", where=str(path), expected=f"at most {most:,} bytes", found="more", advice=SMALLER)
    table = pyarrow.Table.from_batches(kept, schema=schema)
    return {name: _as_array(table.column(name), path, name) for name in table.column_names}


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
        raise DataError("too much data", where=str(path), expected=f"at most {most:,} bytes", found=f"{total:,} bytes of text", advice=SMALLER)


def _as_array(column: Any, path: Path, name: str) -> Array:
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
