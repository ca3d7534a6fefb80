"""Do the walls hold? A confined process tries what it must not be able to do."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sealift_core.process.confined import run_confined
from sealift_core.process.sandbox import Confinement, Walls
from sealift_core.schema.documents import Document

MODULE: Final = "sealift_core.process.probe"
_WORDS: Final = {"read": "read the device's key", "socket": "open a socket", "process": "start a process"}
_MEMORY_BYTES: Final = 64 * 2**20
_SECONDS: Final = 20
_MAX_BYTES: Final = 1000


def main(arguments: Sequence[str], descriptor: int) -> None:
    """Try to read a file, open a socket, and start a process. Runs behind the walls.

    Args:
        arguments: The path of the file to read.
        descriptor: Where to write, as JSON, which of it worked.
    """
    attempts: dict[str, Callable[[], Any]] = {"read": Path(arguments[0]).read_bytes, "socket": _open_socket, "process": _start_process}
    os.write(descriptor, json.dumps({name: _works(attempt) for name, attempt in attempts.items()}).encode())


def _works(attempt: Callable[[], Any]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _open_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def _start_process() -> None:
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        os._exit(0)


def try_walls(secret: Path) -> tuple[Walls, Sequence[str]]:
    """Try the walls of a confined process.

    Args:
        secret: A file that it must not be able to read.

    Returns:
        The walls that it has on this machine, and what it could do in spite of them, in words.

    Raises:
        SandboxError: If the walls can't be put up.
        DocumentError: If the process didn't say what it could do.
        LimitError: If it said far too much.
    """
    confined = run_confined(MODULE, [str(secret)], Confinement(memory_bytes=_MEMORY_BYTES, cpu_s=_SECONDS), timeout_s=_SECONDS)
    document = Document.parse_json(confined.outcome.result or b"{}", where="probe of the sandbox", max_bytes=_MAX_BYTES)
    claims = {"read": confined.walls.landlock_abi > 0, "socket": confined.walls.seccomp, "process": confined.walls.seccomp}
    return confined.walls, [_WORDS[name] for name, claimed in claims.items() if claimed and document.boolean(name)]
