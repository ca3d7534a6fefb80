"""What the hub answers to reports: up to which number it has them, so a device can let those go."""

from __future__ import annotations

import dataclasses
from typing import Final

from sealift_core.messages.report import DEVICE_ID
from sealift_core.schema.documents import Document, canonical_json

SCHEMA: Final = "sealift.receipt"
MAX_BYTES: Final = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The hub has every report of ``device`` up to and including number ``acknowledged`` (0: none yet)."""

    device: str
    acknowledged: int

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Receipt:
        """Read a receipt."""
        document = Document.parse_json(data, where=where, max_bytes=MAX_BYTES)
        document.schema(SCHEMA, 1)
        return cls(device=document.text("device", pattern=DEVICE_ID), acknowledged=document.integer("acknowledged", minimum=0))

    def to_bytes(self) -> bytes:
        """The document's bytes."""
        return canonical_json({"schema": f"{SCHEMA}/1", "device": self.device, "acknowledged": self.acknowledged})
