"""A request whose data a function gives, as one whose data is a file: what it gives has a digest then, and is read as any other."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sealift_packager.data.function import call_function, is_function
from sealift_packager.errors import DataError
from sealift_packager.inmemory.data import write_data
from sealift_packager.request import PackRequest


@contextlib.contextmanager
def given_as_files(request: PackRequest) -> Iterator[PackRequest]:
    """The request itself, or with the function called and what it gave in a file that is there within the block; `DataError`."""
    if request.data is None or not is_function(request.data):
        yield request
        return
    with tempfile.TemporaryDirectory(prefix="sealift.") as folder:
        found = call_function(request.data)
        if found is None or isinstance(found, (str, Path)):
            raise DataError("no data", where=f"--data {request.data}", expected="(X, y), arrays by name, or a table", found=type(found).__name__)
        path = write_data(found, Path(folder), request.model, target=request.target, factory=request.factory, trust_pickle=request.trust_pickle)
        assert path is not None
        yield dataclasses.replace(request, data=path.rename(path.with_name(f"{request.data.name.replace(':', ' ')}.npz")))
