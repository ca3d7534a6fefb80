"""What the model is doing, and until when, in memory that two processes see: noting it costs a microsecond, and wakes nobody.

The other process may have been taken over by the model: the memory's size is sealed, because reading a mapping that was cut off ends a process.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import zlib
from typing import Final, Self

import msgspec

from sealift_packager.sandbox.activity import NOTHING, Activity, Note

_BYTES: Final = mmap.PAGESIZE
#: The checksum of all that follows, the deadline, the limit, the rows, and the length of the activity's text, which comes last.
_HEAD: Final = struct.Struct("=IddQI")
_SUM_BYTES: Final = 4
_READS: Final = 100


class Page:
    """A `Board` in shared memory; ``descriptor`` is what the other process opens it by."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _BYTES)
        self._activity: Activity | None = None
        self._text = b""

    @classmethod
    def create(cls) -> Self:
        """An empty one; to be closed."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("sealift-activity", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        else:  # not Linux
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, _BYTES)
        if hasattr(fcntl, "F_ADD_SEALS"):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        page = cls(descriptor)
        page.show(NOTHING.activity, NOTHING.rows, NOTHING.limit_s, NOTHING.deadline)
        return page

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.descriptor)

    def show(self, activity: Activity, rows: int, limit_s: float, deadline: float) -> None:
        """Note an activity."""
        if activity is not self._activity:
            self._activity, self._text = activity, msgspec.json.encode(activity)[: _BYTES - _HEAD.size]
            self._memory[_HEAD.size : _HEAD.size + len(self._text)] = self._text
        head = _HEAD.pack(0, deadline, limit_s, rows, len(self._text))
        _HEAD.pack_into(self._memory, 0, _checksum(head, self._text), deadline, limit_s, rows, len(self._text))

    def read(self) -> Note:
        """What is noted now; nothing if it can't be read: it is half written, or the other process writes nonsense."""
        for _ in range(_READS):
            head = self._memory[: _HEAD.size]
            checksum, deadline, limit_s, rows, length = _HEAD.unpack(head)
            text = self._memory[_HEAD.size : _HEAD.size + min(length, _BYTES)]
            if checksum == _checksum(head, text):
                return Note(_activity(text), rows, limit_s, deadline)
        return NOTHING


def _checksum(head: bytes, text: bytes) -> int:
    return zlib.crc32(text, zlib.crc32(head[_SUM_BYTES:]))


def _activity(text: bytes) -> Activity:
    try:
        return msgspec.json.decode(text, type=Activity)
    except (msgspec.MsgspecError, RecursionError):
        return NOTHING.activity
