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
    """How far the hub has a device's reports.

    Attributes:
        device: The device's id.
        acknowledged: The hub has every report up to and including this number; 0 for none yet.
    """

    device: str
    acknowledged: int

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Receipt:
        """Read a receipt.

        Args:
            data: Its bytes.
            where: What errors call it.

        Returns:
            The receipt.

        Raises:
            DocumentError: If it can't be read; `UnsupportedSchemaError` if it is of another major version.
            LimitError: If it is larger than its bound.
        """
        document = Document.parse_json(data, where=where, max_bytes=MAX_BYTES)
        document.schema(SCHEMA, 1)
        return cls(device=document.text("device", pattern=DEVICE_ID), acknowledged=document.integer("acknowledged", minimum=0))

    def to_bytes(self) -> bytes:
        """Write the document; `parse` gives an equal receipt back."""
        return canonical_json({"schema": f"{SCHEMA}/1", "device": self.device, "acknowledged": self.acknowledged})
