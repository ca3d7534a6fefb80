"""Whether onnxruntime sends telemetry from a process of the agent: what the process's variables and open files say.

onnxruntime decides when it is imported, and keeps what it will send in a database that it holds open. So these are looked at: what the variable was
then, and whether such a database is open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sealift_core.onnxruntime_environment import IMPORTED_BEFORE, SILENT, TELEMETRY_OFF

#: The folder in a user's cache that holds onnxruntime's database of what to send, and the number that it gave this device.
STORE: Final = ".onnxruntime"


def telemetry_here() -> tuple[str, ...]:
    """Signs of telemetry in this process, which has imported onnxruntime; none is how it should be."""
    before = ("onnxruntime was imported before Sealift was",) if IMPORTED_BEFORE else ()
    return (*before, *_variable(os.environ.get(SILENT)), *_open_stores(Path("/proc/self")))


def telemetry_of(process: int) -> tuple[str, ...]:
    """Signs of telemetry in another process, by the variables that it was started with. Raises `OSError` if it can't be looked at."""
    folder = Path("/proc") / str(process)
    entries = [entry.partition(b"=") for entry in (folder / "environ").read_bytes().split(b"\0")]
    values = {os.fsdecode(name): os.fsdecode(value) for name, _, value in entries}
    return (*_variable(values.get(SILENT)), *_open_stores(folder))


def _variable(value: str | None) -> Iterator[str]:
    if value != TELEMETRY_OFF[SILENT]:
        yield f"{SILENT} was {value or 'not set'} instead of {TELEMETRY_OFF[SILENT]}"


def _open_stores(process: Path) -> Iterator[str]:
    """Files of onnxruntime's telemetry that a process has open."""
    if not (process / "fd").is_dir():  # not Linux
        return
    targets = [_target(link) for link in sorted((process / "fd").iterdir())]
    yield from dict.fromkeys(f"{target.parent} is open" for target in targets if target.parent.name == STORE)


def _target(link: Path) -> Path:
    try:
        return link.readlink()
    except FileNotFoundError:  # closed meanwhile
        return Path()
