"""HTTP over a unix socket, for the few requests between the agent's own processes."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Final

from sealift_core import errors
from sealift_core.errors import SealiftError, TransportError

#: What an answer of the data plane's private socket may name as the kind of its error: whether an error is the release's fault depends on it.
_ERRORS: Final[dict[str, type[SealiftError]]] = {
    name: error for name, error in vars(errors).items() if isinstance(error, type) and issubclass(error, SealiftError)
}
MAX_ANSWER_BYTES = 16 * 2**20


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def call(path: Path, method: str, target: str, body: dict[str, Any] | None = None, *, timeout_s: float = 30.0) -> Any:
    """Ask, and give the parsed JSON answer.

    Raises `TransportError` if nobody listens or answers in time, and what the answer names as its error: one of `_ERRORS`,
    else `SealiftError`.
    """
    connection = _UnixConnection(path, timeout_s)
    try:
        connection.request(method, target, json.dumps(body or {}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read(MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TransportError(f"the data plane doesn't answer, caused by: {error}", where=str(path)) from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise _ERRORS.get(answer.get("kind", ""), SealiftError)(answer.get("error", "no reason given"))
    return answer
