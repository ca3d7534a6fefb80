"""Workers that do what none of ours does, as one would that the model it read has taken over. Which of them it is, the task says: it is text here.

Started as ``python -m support.strange_worker PARENT PAGE FD``.
"""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator

from sealift_packager.sandbox.activity import ANSWERING
from sealift_packager.sandbox.frames import Message
from sealift_packager.sandbox.page import Page

ASKING = Message({"ask": "cache read", "key": "0" * 64}).encode()
#: What each of them sends.
SENT: dict[str, Iterator[bytes]] = {
    "noise": iter([b"\xff\x00" * 64 + b"\n"]),
    "endless line": itertools.repeat(b"x" * 65536),
    "huge": iter([b'{"size": 1000000000000}\n']),
    "unknown question": iter([Message({"ask": "give me the key"}).encode()]),
    "asks and never listens": itertools.repeat(ASKING),
}


def cut(page: Page) -> str:
    """What the kernel says to a page without memory, and to one of 16 MiB."""
    errors = []
    for size in (0, 2**24):
        try:
            os.ftruncate(page.descriptor, size)
        except OSError as error:
            errors.append(errno.errorcode[error.errno or 0])
    return " ".join(errors)


def main() -> None:
    """Be strange in the way that the task names."""
    page, pipe = Page(int(sys.argv[-2])), int(sys.argv[-1])
    way = task()
    for data in SENT.get(way, ()):
        os.write(pipe, data)
    if way == "a late note in braces":
        page.show(dataclasses.replace(ANSWERING, late="{rows.__class__} {x} {limit}"), 1, 0.0, time.monotonic())
    elif way == "cuts the page":
        os.write(pipe, Message({"end": "done"}, cut(page).encode()).encode())
    elif way == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif way == "exit":
        print("\x1b[2Jits last words", flush=True)
        sys.exit(3)
    elif way == "leaves a child" and os.fork() > 0:
        os.write(pipe, Message({"end": "done"}, str(os.getpid()).encode()).encode())
    time.sleep(60)


def task() -> str:
    """What came on standard input."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    return os.read(0, int(json.loads(line)["size"])).decode()


if __name__ == "__main__":
    main()
