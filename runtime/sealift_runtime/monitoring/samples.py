"""The bounded queue between the request path and the counting: a copy, never a wait.

The server may reuse its buffers as soon as a request is answered, so what is queued is a copy. The queue holds so many
bytes and rows at most; what doesn't fit is counted as dropped, and the request goes on.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

#: What a queued request takes beside its values, and what a text is charged: both are estimates.
OVERHEAD_BYTES: Final = 256
TEXT_BYTES: Final = 256


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How much may wait to be counted, per model."""

    rows: int = 16_384
    size_bytes: int = 32 * 2**20


DEFAULT_LIMITS: Final = QueueLimits()


class Sample(NamedTuple):
    """The monitored tensors of one request, or of its first rows; a tuple, as a frozen dataclass takes four times as long to make."""

    rows: int
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


class SampleQueue:
    """A queue of samples, safe to use from several threads."""

    def __init__(self, limits: QueueLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._samples: collections.deque[tuple[Sample, int]] = collections.deque()
        self._rows = 0
        self._bytes = 0
        self._dropped = 0

    def put(self, inputs: dict[str, Array], outputs: dict[str, Array]) -> None:
        """Queue a copy of as many rows (axis 0) as fit; the rest count as dropped."""
        rows, size = _rows_and_bytes(inputs, outputs)
        with self._lock:
            take = self._rows_that_fit(rows, size)
            self._dropped += rows - take
            if not take:
                return
            if take < rows:
                size = OVERHEAD_BYTES + size * take // rows
            self._rows += take
            self._bytes += size
        if take < rows:
            inputs, outputs = _first(inputs, take), _first(outputs, take)
        copied = Sample(take, {name: array.copy() for name, array in inputs.items()}, {name: array.copy() for name, array in outputs.items()})
        self._samples.append((copied, size))

    def _rows_that_fit(self, rows: int, size: int) -> int:
        """How many of ``rows`` that take ``size`` bytes together still fit."""
        by_rows, by_bytes = self._limits.rows - self._rows, self._limits.size_bytes - self._bytes
        if rows <= by_rows and size <= by_bytes:
            return rows
        return max(0, min(rows, by_rows, (by_bytes - OVERHEAD_BYTES) * rows // size))

    def drain(self) -> list[Sample]:
        """Take everything that is queued."""
        taken: list[Sample] = []
        rows = size = 0
        while self._samples:
            sample, sample_bytes = self._samples.popleft()
            taken.append(sample)
            rows, size = rows + sample.rows, size + sample_bytes
        with self._lock:
            self._rows -= rows
            self._bytes -= size
        return taken

    @property
    def dropped_rows(self) -> int:
        """How many rows were dropped, in all."""
        return self._dropped


def _rows_and_bytes(inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> tuple[int, int]:
    rows, size = 0, OVERHEAD_BYTES
    for array in (*inputs.values(), *outputs.values()):
        length = len(array)
        rows = length if length > rows else rows  # noqa: FURB136 - max() costs as much as the rest of this line's loop
        size += array.size * TEXT_BYTES if array.dtype.hasobject else array.nbytes
    return rows, size


def _first(tensors: Mapping[str, Array], rows: int) -> dict[str, Array]:
    return {name: array[:rows] for name, array in tensors.items()}
