"""Feather and Arrow files: what pandas and others write by ``to_feather``, and the Arrow format of files and of streams."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.archives.own_copy import OwnCopy
from sealift_packager.data.limits import LIMITS
from sealift_packager.data.parquet import as_array, check_names
from sealift_packager.errors import DataError, first_line
from sealift_packager.model.source import Array

_OLD: Final = b"FEA1"
_FILE: Final = b"ARROW1"


def read_feather(copy: OwnCopy) -> dict[str, Array]:
    """The columns of a Feather or Arrow file by name; `DataError`."""
    path = copy.path
    try:
        import pyarrow
    except ImportError as error:
        raise DataError("pyarrow is not installed", where=str(path), advice="pip install pyarrow") from error
    pyarrow.allocate_buffer(1)  # its allocator sets 1 GiB aside for the first one
    try:
        with bounded_memory(path, DataError), contextlib.closing(pyarrow.OSFile(str(path))) as file:
            table = _table(file, path)
            return {name: as_array(table.column(name), path, name) for name in table.column_names}
    except DataError:
        raise
    except (OSError, ValueError, MemoryError, pyarrow.ArrowException) as error:
        raise DataError(
            f"can't be read as Arrow (caused by: {first_line(error):.300})", where=str(path), expected="a complete .feather or .arrow file"
        ) from error


def _table(file: Any, path: Path) -> Any:
    """All batches, each checked: what isn't was believed by whatever reads it next."""
    import pyarrow
    from pyarrow import ipc

    head = file.read(len(_FILE))
    file.seek(0)
    if head.startswith(_OLD):
        raise DataError("an old Feather file", where=str(path), expected="version 2", found="version 1", advice="Save it again with pyarrow.")
    reader = ipc.open_file(file) if head == _FILE else ipc.open_stream(file)
    check_names(reader.schema.names, path)
    batches, total, most = [], 0, LIMITS.budget(path.stat().st_size)
    for batch in _batches(reader):
        batch.validate(full=True)
        batches.append(batch)
        total += batch.nbytes
        if total > most:
            advice = "A holdout of a few thousand rows is enough."
            raise DataError("too much data", where=str(path), expected=f"at most {most:,} bytes", found="more", advice=advice)
    return pyarrow.Table.from_batches(batches, schema=reader.schema)


def _batches(reader: Any) -> Any:
    count = getattr(reader, "num_record_batches", None)
    return reader if count is None else (reader.get_batch(at) for at in range(count))
