"""How many bytes a server holds for its clients at once: request bodies, what they become when they are decoded, and unread answers."""

from __future__ import annotations

import threading
from typing import Final

from sealift_core.hardware.limits import usable_memory

#: Bodies and answers up to this size aren't counted: a thousand clients may have one each, whatever a few others do.
SMALL_BYTES: Final = 16 * 1024
#: The budget where none is configured: a part of the memory that the process may have, within bounds.
PART_OF_MEMORY: Final = 4
SMALLEST_BYTES, LARGEST_BYTES = 32 * 2**20, 512 * 2**20


def default_budget(memory_bytes: int | None) -> int:
    """The budget where none is configured.

    Args:
        memory_bytes: How much memory the process may have; None if nobody knows.

    Returns:
        A quarter of it, but at least 32 MiB and at most 512 MiB.
    """
    if memory_bytes is None:
        return LARGEST_BYTES
    return max(SMALLEST_BYTES, min(LARGEST_BYTES, memory_bytes // PART_OF_MEMORY))


class ByteBudget:
    """A sum with a bound. Safe to use from several threads.

    Attributes:
        most_bytes: The bound, which may be changed at any time.
    """

    def __init__(self, most_bytes: int = 0) -> None:
        """Make a budget of which nothing is held.

        Args:
            most_bytes: The bound; 0 for the default of this machine.
        """
        self._held = 0
        self.limit(most_bytes)
        self._lock = threading.RLock()  # a share may be let go of while another one is being counted

    def limit(self, most_bytes: int) -> None:
        """Change the bound; what is held stays.

        Args:
            most_bytes: The bound; 0 for the default of this machine.
        """
        self.most_bytes = most_bytes or default_budget(usable_memory())

    @property
    def held_bytes(self) -> int:
        """How much is held now."""
        return self._held

    def share(self) -> Share:
        """A share that holds nothing yet."""
        return Share(self)

    def take(self, size: int) -> bool:
        """Count more.

        Args:
            size: How many bytes.

        Returns:
            False, and nothing is counted, if that would be too much.
        """
        with self._lock:
            if self._held + size > self.most_bytes:
                return False
            self._held += size
            return True

    def give(self, size: int) -> None:
        """Count less.

        Args:
            size: How many bytes.
        """
        with self._lock:
            self._held -= size


class Share:
    """What one request or one answer holds of a budget, until it is released or nobody refers to it any more."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.size = 0

    def add(self, size: int) -> bool:
        """Hold more.

        Args:
            size: How many bytes more.

        Returns:
            False, and nothing has changed, if the budget doesn't allow that.
        """
        if not self._budget.take(size):
            return False
        self.size += size
        return True

    @property
    def most_bytes(self) -> int:
        """The bound of the budget."""
        return self._budget.most_bytes

    def could_ever_add(self, size: int) -> bool:
        """Whether the budget would allow that if nobody else held anything.

        Args:
            size: How many bytes more.
        """
        return self.size + size <= self._budget.most_bytes

    def release(self) -> None:
        """Hold nothing any more."""
        size, self.size = self.size, 0
        if size:
            self._budget.give(size)

    def __del__(self) -> None:
        """Release what nobody released."""
        self.release()
