"""What a worker may be given to do: one of these, pickled by the process that starts it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sealift_packager.build.request import PackRequest
from sealift_packager.lock.lockfile import Lock
from sealift_packager.model.source import LoadOptions


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What any task needs: how long the model may take, a folder for temporary files, and where modules are imported from.

    ``log_level`` is that of `logging` from which on records are sent.
    """

    limit_s: float
    temporary: Path
    imports: tuple[str, ...]
    log_level: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuildTask(Task):
    """Build a request's bundles below ``scratch``; The result is what `worker_result` makes of them."""

    request: PackRequest
    scratch: Path
    lock: Lock | None
    cached: bool
    inline_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataTask(Task):
    """Call the functions that give a request's data; the result names the files, in ``folder``, that hold what they gave."""

    request: PackRequest
    folder: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamesTask(Task):
    """Read a model; the result is the names of its inputs."""

    model: Path
    options: LoadOptions
