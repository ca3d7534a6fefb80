"""What the model is doing, and until when, in memory that two processes see: noting it costs a microsecond, and wakes nobody."""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
import struct
import tempfile
from typing import Final, Self

from sealift_packager.activity import NOTHING, Activity, Note

_BYTES: Final = mmap.PAGESIZE
#: A number that is odd while the rest is written, the deadline, the limit, the rows, and the length of the activity's text.
_HEAD: Final = struct.Struct("=QddQI")
_READS: Final = 100


class Page:
    """A `Board` in shared memory; ``descriptor`` is what the other process opens it by."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _BYTES)
        self._count = 0
        self._activity: Activity | None = None
        self._length = 0

    @classmethod
    def create(cls) -> Self:
        """An empty one; to be closed."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("sealift-activity")
        else:  # not Linux
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, _BYTES)
        page = cls(descriptor)
        page.show(NOTHING.activity, NOTHING.rows, NOTHING.limit_s, NOTHING.deadline)
        return page

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.descriptor)

    def show(self, activity: Activity, rows: int, limit_s: float, deadline: float) -> None:
        """Note an activity."""
        self._count += 2
        _HEAD.pack_into(self._memory, 0, self._count - 1, deadline, limit_s, rows, 0)
        if activity is not self._activity:
            text = json.dumps(dataclasses.asdict(activity)).encode()[: _BYTES - _HEAD.size]
            self._memory[_HEAD.size : _HEAD.size + len(text)] = text
            self._activity, self._length = activity, len(text)
        _HEAD.pack_into(self._memory, 0, self._count, deadline, limit_s, rows, self._length)

    def read(self) -> Note:
        """What is noted now; nothing if it can't be read, as where the other process writes nonsense."""
        for _ in range(_READS):
            count, deadline, limit_s, rows, length = _HEAD.unpack_from(self._memory, 0)
            text = self._memory[_HEAD.size : _HEAD.size + min(length, _BYTES)]
            if count % 2 == 0 and _HEAD.unpack_from(self._memory, 0)[0] == count:
                return Note(_activity(text), rows, limit_s, deadline)
        return NOTHING


def _activity(text: bytes) -> Activity:
    try:
        fields = json.loads(text)
        return Activity(**{row.name: str(fields[row.name]) for row in dataclasses.fields(Activity)})
    except (ValueError, KeyError, TypeError, RecursionError):
        return NOTHING.activity
