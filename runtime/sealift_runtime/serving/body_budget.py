"""How many bytes of large request bodies a server holds at once, over all its clients."""

from __future__ import annotations

import threading
import weakref
from typing import Final

from sealift_runtime.serving.http import HttpRequest

#: Bodies up to this size aren't counted: a thousand clients may send one each, whatever a few others do.
SMALL_BYTES: Final = 64 * 1024


class BodyBudget:
    """A sum with a bound. A body counts from its first bytes until nobody holds its request any more."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._lock = threading.Lock()  # a worker may be the last to hold a request

    def take(self, size: int) -> bool:
        """Count ``size`` more bytes; False, and nothing counted, if that would be too many."""
        with self._lock:
            if self._held + size > self._most:
                return False
            self._held += size
            return True

    def give(self, size: int) -> None:
        """Count ``size`` bytes less."""
        with self._lock:
            self._held -= size

    def give_after(self, request: HttpRequest, size: int) -> None:
        """Count ``size`` bytes less once ``request`` is gone."""
        weakref.finalize(request, self.give, size).atexit = False
