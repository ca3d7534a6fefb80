"""Messages on a pipe: a line of JSON, and as many raw bytes after it as it says. Linear in what is fed, and bounded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Final

MAX_LINE_BYTES: Final = 2**20
MAX_BLOB_BYTES: Final = 8 * 2**30
_SIZE: Final = "size"


class FrameError(ValueError):
    """What came isn't a message."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """The fields of a line, and the bytes behind it."""

    fields: dict[str, Any]
    blob: bytes = b""

    def encode(self) -> bytes:
        """As it goes over the pipe."""
        return json.dumps({**self.fields, _SIZE: len(self.blob)}).encode() + b"\n" + self.blob

    def text(self, name: str) -> str:
        """A field that is text; `FrameError` if it isn't."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise FrameError(f"{name} is not text")
        return value


class Decoder:
    """Bytes as they come, in any pieces → messages."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._searched = 0
        self._fields: dict[str, Any] | None = None
        self._wanted = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with these bytes; `FrameError` for anything else."""
        self._waiting += data
        while True:
            if self._fields is None and not self._read_line():
                return
            if len(self._waiting) < self._wanted:
                return
            fields, self._fields = self._fields or {}, None
            blob = bytes(memoryview(self._waiting)[: self._wanted])
            del self._waiting[: self._wanted]
            self._searched = 0
            yield Message(fields, blob)

    def _read_line(self) -> bool:
        end = self._waiting.find(b"\n", self._searched)
        if max(end, len(self._waiting) if end < 0 else 0) > MAX_LINE_BYTES:
            raise FrameError("a line is too long")
        if end < 0:
            self._searched = len(self._waiting)
            return False
        self._fields, self._wanted = _parse(bytes(self._waiting[:end]))
        del self._waiting[: end + 1]
        return True


def _parse(line: bytes) -> tuple[dict[str, Any], int]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FrameError("a line is not JSON") from error
    size = fields.pop(_SIZE, 0) if isinstance(fields, dict) else None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_BLOB_BYTES:
        raise FrameError("a line is not a message's")
    return fields, size
