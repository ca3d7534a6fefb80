"""Where the running data plane listens, as it wrote it down."""

from __future__ import annotations

from typing import Final

from sealift_core import beneath
from sealift_core.schema.documents import Document
from sealift_runtime.agent.home import Home

MAX_BYTES: Final = 64 * 1024


def server_url(home: Home) -> str | None:
    """The data plane's address, or None if none is written down."""
    if not home.server_info.is_file():
        return None
    document = Document.parse_json(beneath.read_own(home.server_info, MAX_BYTES), where=str(home.server_info), max_bytes=MAX_BYTES)
    return document.text("url")
