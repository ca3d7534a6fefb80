"""One difference as a value."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.schema.documents import Json

_SHOWN: Final = 120


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleDifference:
    """What differs: the profile (empty for two bundles), the file, the field in it (a path, a tensor, a line), both values as text."""

    file: str
    field: str
    first: str
    second: str
    profile: str = ""

    def json(self) -> dict[str, Json]:
        """For machines."""
        return dataclasses.asdict(self)

    def lines(self) -> list[str]:
        """For people: where, and both values."""
        place = "  ".join(filter(None, (self.profile, self.file, self.field)))
        return [place, f"    a: {_short(self.first)}", f"    b: {_short(self.second)}"]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
