"""Errors about an archive: what is wrong, where, and what to do."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_packager.errors import PackagerError, SourceModelError

WHOLE_ZIP: Final = "a complete zip archive"
ARRAYS: Final = "a complete archive of plain arrays (no objects)"
ADVICE: Final = "Save it again with the library that wrote it."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """``where`` names the archive, ``expected`` says what a whole one is; ``error`` is the class of what is raised."""

    where: str
    error: type[PackagerError] = SourceModelError
    expected: str = WHOLE_ZIP

    def of(self, message: str, *, member: str = "", expected: str | None = None, found: str | None = None, advice: str = ADVICE) -> PackagerError:
        """An error about the archive, or about one of its members."""
        where = f"{self.where}: {member:.200}" if member else self.where
        return self.error(message, where=where, expected=expected, found=found, advice=advice)

    def cut_off(self, found: str) -> PackagerError:
        """An error about an archive that ends too early, or isn't one."""
        return self.of("the archive is cut off or damaged", expected=self.expected, found=found)

    def changed(self) -> PackagerError:
        """An error about a file that was written to while it was read."""
        return self.of("the file changed while it was read", advice="Try again when no other process writes to it.")
