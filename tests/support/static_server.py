"""A static web server with ranges on 127.0.0.1, port 0, in a thread; it can be told to misbehave.

`Faults` are changed by a test while the server runs; each is a way in which real servers and networks fail.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@dataclasses.dataclass(kw_only=True)
class Faults:
    """How the server misbehaves; ``requests`` counts what it was asked, path by path, with the Range header."""

    ignore_range: bool = False
    wrong_range: bool = False
    compress: bool = False
    redirect_to: str = ""
    statuses: list[int] = dataclasses.field(default_factory=list)
    cut_after_bytes: list[int] = dataclasses.field(default_factory=list)
    trickle_s: float = 0.0
    requests: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(requested == path for requested, _ in self.requests)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StaticServer:
    """A running server: its address, and its faults."""

    url: str
    faults: Faults


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    faults: Faults

    def do_GET(self) -> None:
        byte_range = self.headers.get("Range", "")
        self.faults.requests.append((self.path, byte_range))
        if self.faults.statuses:
            return self._head(self.faults.statuses.pop(0), {"Content-Length": "0"})
        if self.faults.redirect_to:
            return self._head(302, {"Location": self.faults.redirect_to + self.path, "Content-Length": "0"})
        path = self.root / urllib.parse.unquote(self.path).lstrip("/")
        if not path.is_file():
            return self._head(404, {"Content-Length": "0"})
        self._send(path.read_bytes(), byte_range)
        return None

    def _send(self, data: bytes, byte_range: str) -> None:
        offset = int(byte_range.removeprefix("bytes=").removesuffix("-")) if byte_range and not self.faults.ignore_range else 0
        headers = {"Content-Encoding": "gzip"} if self.faults.compress else {}
        if offset and offset >= len(data):
            return self._head(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
        if offset:
            start = offset - 1 if self.faults.wrong_range else offset
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            data = data[start:]
        self._head(206 if offset else 200, headers | {"Content-Length": str(len(data))})
        self._body(data)
        return None

    def _body(self, data: bytes) -> None:
        if self.faults.cut_after_bytes:
            self.wfile.write(data[: self.faults.cut_after_bytes.pop(0)])
            self.close_connection = True
        elif self.faults.trickle_s:
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(self.faults.trickle_s)
        else:
            self.wfile.write(data)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


@contextlib.contextmanager
def serve_directory(root: Path, *, tls: ssl.SSLContext | None = None) -> Iterator[StaticServer]:
    """Serve ``root`` while the block runs, over HTTPS if a context is given."""
    faults = Faults()
    handler = type("Handler", (_Handler,), {"root": root, "faults": faults})
    server = _Server(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield StaticServer(url=f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}", faults=faults)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
