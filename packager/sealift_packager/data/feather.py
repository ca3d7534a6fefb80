"""Feather and Arrow files: what pandas and others write by ``to_feather``, and the Arrow format of files and of streams."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sealift_packager.archives.own_copy import OwnCopy
from sealift_packager.data.arrow import check_distinct, columns_of, reading_arrow
from sealift_packager.errors import DataError
from sealift_packager.model.source import Array

_OLD: Final = b"FEA1"
_FILE: Final = b"ARROW1"


def read_feather(copy: OwnCopy) -> dict[str, Array]:
    """The columns of a Feather or Arrow file by name; `DataError`."""
    path = copy.path
    with reading_arrow(path, "Arrow", ".feather or .arrow"):
        import pyarrow

        with contextlib.closing(pyarrow.OSFile(str(path))) as file:
            reader = _reader(file, path)
            check_distinct(reader.schema.names, path)
            return columns_of(_checked_batches(reader), reader.schema, path)


def _reader(file: Any, path: Path) -> Any:
    from pyarrow import ipc

    head = file.read(len(_FILE))
    file.seek(0)
    if head.startswith(_OLD):
        raise DataError("an old Feather file", where=str(path), expected="version 2", found="version 1", advice="Save it again with pyarrow.")
    return ipc.open_file(file) if head == _FILE else ipc.open_stream(file)


def _checked_batches(reader: Any) -> Iterator[Any]:
    """Each batch, checked: what isn't was believed by whatever reads it next."""
    count = getattr(reader, "num_record_batches", None)
    for batch in reader if count is None else (reader.get_batch(at) for at in range(count)):
        batch.validate(full=True)
        yield batch
