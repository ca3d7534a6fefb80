"""Where the running data plane listens, as it wrote it down."""

from __future__ import annotations

from sealift_runtime.agent.home import Home
from sealift_runtime.documents import Document


def server_url(home: Home) -> str | None:
    """The server's address, or None if none is written down."""
    if not home.server_info.is_file():
        return None
    document = Document.parse_json(home.server_info.read_bytes(), where=str(home.server_info), max_bytes=64 * 1024)
    return document.text("url")
