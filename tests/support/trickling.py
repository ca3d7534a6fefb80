"""A server on 127.0.0.1 that takes a request and then sends its answer one byte at a time, each in time for a timeout per packet."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

#: What is sent at once, and what is then repeated byte by byte for as long as somebody reads.
ANSWERS = {
    "status line": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "size of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
}


@contextlib.contextmanager
def trickling(answer: str, *, pause_s: float = 0.02) -> Iterator[str]:
    """Serve one of `ANSWERS`, a byte every ``pause_s`` seconds; the server's address."""
    begin, again = ANSWERS[answer]
    ended = threading.Event()

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(65536)
            client.sendall(begin)
            while not ended.is_set():
                client.sendall(again)
                time.sleep(pause_s)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client = listening.accept()[0]
                threading.Thread(target=serve, args=[client], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
