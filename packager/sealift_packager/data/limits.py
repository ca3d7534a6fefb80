"""How much a holdout file may hold: what it takes in memory has nothing to do with how large it is on disk."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_packager.archives.limits import MAX_RATIO, SMALL_BYTES


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataLimits:
    """``values`` are a Parquet file's, in lists too; ``unpacked_bytes`` what they take in memory."""

    values: int = 2**31
    unpacked_bytes: int = 16 * 2**30
    csv_bytes: int = 4 * 2**30
    csv_rows: int = 20_000_000
    csv_columns: int = 2**18
    csv_header_bytes: int = 16 * 2**20
    image_bytes: int = 256 * 2**20

    def budget(self, file_bytes: int) -> int:
        """The bytes that a file of this size may become: 64 MiB, or 200 times as much, as in archives; real rows don't shrink so."""
        return min(self.unpacked_bytes, max(SMALL_BYTES, MAX_RATIO * file_bytes))


LIMITS: Final = DataLimits()
