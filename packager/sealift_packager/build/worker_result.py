"""What a worker gives for a build, as it crosses to the process that started it: both sides of that in one place.

The folders aren't in it: whoever gave the worker its folder knows them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from sealift_packager.build.packed import NodeErrors, Unsigned
from sealift_packager.lock.lockfile import Lock


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResult:
    """All of unsigned bundles but their directories; the lock as a file's bytes."""

    lock: bytes
    node_errors: NodeErrors
    notes: tuple[str, ...]

    @classmethod
    def of(cls, unsigned: Unsigned) -> Self:
        """What a worker built."""
        return cls(lock=unsigned.lock.to_bytes(), node_errors=unsigned.node_errors, notes=unsigned.notes)

    def unsigned(self, directories: Mapping[str, Path]) -> Unsigned:
        """What was built, the lock checked. Raises `DocumentError` where that makes no sense."""
        return Unsigned(directories=directories, lock=Lock.parse(self.lock, where="lock"), node_errors=self.node_errors, notes=self.notes)
