"""JSON as the hub answers it: what devices wrote can't steer the terminal of someone who asks with curl."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from sealift_core.terminal.printable import printable_json


class PrintableJson(JSONResponse):
    """A JSON answer in which controls and invisible characters are escaped as JSON does it."""

    def render(self, content: Any) -> bytes:
        """The body; a parser reads the same value."""
        return printable_json(super().render(content).decode()).encode()
