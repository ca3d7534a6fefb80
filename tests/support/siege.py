"""Several clients who send what costs most, again and again, while one who means well measures how long it waits."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

ATTACKERS: Final = 4
#: What one who means well may wait at most, on a machine that has much else to do, too. Careless parsers took hours.
MOST_WAIT_S: Final = 20.0


class Siege:
    """The attackers; ``statuses`` is what they were answered (0: nothing)."""

    def __init__(self, url: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        address = urlsplit(url)
        self._place = (address.hostname or "", address.port)
        self._request = (method, path, body, dict(headers))
        self._over = threading.Event()
        self.statuses: list[int] = []

    def attack(self) -> None:
        """One attacker, until it is over."""
        while not self._over.is_set():
            connection = http.client.HTTPConnection(*self._place, timeout=60)
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                try:
                    connection.request(*self._request)
                    self.statuses.append(connection.getresponse().status)
                except ConnectionError:  # refused while the body was still being sent, so the answer was lost on the way
                    self.statuses.append(0)

    def end(self) -> None:
        """Let each attacker finish what it is at."""
        self._over.set()


@contextlib.contextmanager
def siege(url: str, method: str, path: str, body: bytes, **headers: str) -> Iterator[Siege]:
    """The attack goes on while the block runs."""
    attack = Siege(url, method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    threads = [threading.Thread(target=attack.attack, daemon=True) for _ in range(ATTACKERS)]
    for thread in threads:
        thread.start()
    try:
        yield attack
    finally:
        attack.end()
        for thread in threads:
            thread.join(90)


def longest_wait(ask: Callable[[], object], *, times: int = 5, pause_s: float = 0.2) -> float:
    """How long one who means well waited at most, in seconds."""
    waits = []
    for _ in range(times):
        begun = time.monotonic()
        ask()
        waits.append(time.monotonic() - begun)
        time.sleep(pause_s)
    return max(waits)


def bodies() -> dict[str, tuple[bytes, dict[str, str]]]:
    """Hostile bodies, each with its headers."""
    import gzip

    member = gzip.compress(b"", mtime=0)
    size = 4 * 2**20
    return {
        "one name again and again": (b"{" + b'"k":0,' * (size // 6) + b'"k":0}', {}),
        "many names, one twice": (b"{" + b",".join(b'"k%d":0' % i for i in range(size // 12)) + b',"z":0,"z":0}', {}),
        "many names like those that are missing": (b"{" + b",".join(b'"signaturo%d":0' % i for i in range(size // 20)) + b"}", {}),
        "deep lists": (b"[" * size, {}),
        "empty lists": (b'{"a":[' + b"[]," * (size // 3) + b"0]}", {}),
        "numbers": (b'{"inputs":[' + b"0," * (size // 2) + b"0]}", {}),
        "texts among numbers": (
            b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":["' + b"a" * (size // 2) + b'"' + b',""' * (size // 6) + b"]}]}",
            {},
        ),
        "chunks of a byte": (b"1\r\n0\r\n" * (size // 6) + b"0\r\n\r\n", {"transfer_encoding": "chunked"}),
        "gzip members": (member * (16 * 2**20 // len(member)), {"content_encoding": "gzip"}),
        "zeros in gzip": (gzip.compress(bytes(63 * 2**20), 1), {"content_encoding": "gzip"}),
    }
