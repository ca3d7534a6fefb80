"""A request whose data a function gives, as one whose data is a file: what it gives has a digest then, and is read as any other."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sealift_packager.build.request import PackRequest
from sealift_packager.data.function import call_function
from sealift_packager.errors import DataError
from sealift_packager.model.source import LoadOptions


@contextlib.contextmanager
def given_as_files(request: PackRequest) -> Iterator[PackRequest]:
    """The request itself, or with its functions called and what they gave in files that are there within the block; `DataError`."""
    if not request.functions:
        yield request
        return
    with tempfile.TemporaryDirectory(prefix="sealift.") as folder:
        written: dict[str, Any] = dict(write_functions(request, Path(folder)))
        yield dataclasses.replace(request, **written)


def write_functions(request: PackRequest, folder: Path) -> dict[str, Path]:
    """Call the request's functions; the files below ``folder`` that hold what they gave, by the request's field; `DataError`."""
    return {field: _write(request, field, place, folder / field) for field, place in request.functions.items()}


def _write(request: PackRequest, field: str, place: Path, folder: Path) -> Path:
    from sealift_packager.build.in_memory_data import write_data

    where = f"--{field.replace('_', '-')} {place}"
    data = call_function(place, where=where)
    if data is None or isinstance(data, (str, Path)):
        raise DataError("no data", where=where, expected="(X, y), arrays by name, or a table", found=type(data).__name__)
    folder.mkdir()
    options = LoadOptions(format=request.format, trust_pickle=request.trust_pickle, factory=request.factory)
    path = write_data(data, folder, request.model, target=request.target, options=options)
    assert path is not None
    return path.rename(folder / f"{place.name.replace(':', ' ')}.npz")
