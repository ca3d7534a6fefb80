"""windows.json: the windows that nobody acknowledged, and what the open ones have counted, as one document.

A window is given to nobody before it stands here as closed, with its name. So whatever is killed, and whenever, a window that was given away is
never made anew under another name, and the spool, which remembers the names, takes each once.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sealift_core import beneath, durable
from sealift_core.bundle.digest import Digest
from sealift_core.errors import StoreError
from sealift_core.messages.report import Window
from sealift_core.schema.documents import Document, Json
from sealift_runtime.monitoring.open_window import OpenWindow
from sealift_runtime.reports.numbered import STREAM, NumberedWindow

MAX_BYTES: Final = 64 * 2**20
MAX_OPEN: Final = 10_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptOpen:
    """An open window of a model; ``number`` is that of the last window before it, 0 for none."""

    stream: str
    number: int
    model: str
    version: str
    bundle: Digest
    window: OpenWindow

    @classmethod
    def parse(cls, document: Document) -> KeptOpen:
        """Read what `json` wrote."""
        return cls(
            stream=document.text("stream", pattern=STREAM),
            number=document.integer("number", minimum=0),
            model=document.text("model", max_characters=128),
            version=document.text("version", max_characters=128),
            bundle=Digest.parse(document.text("bundle"), where=document.where),
            window=OpenWindow.parse(document.document("window")),
        )

    def json(self) -> dict[str, Json]:
        """Write the window."""
        names: dict[str, Json] = {"stream": self.stream, "number": self.number, "model": self.model, "version": self.version}
        return names | {"bundle": str(self.bundle), "window": self.window.json()}

    def closed(self) -> NumberedWindow:
        """The window as it is, without a verdict."""
        window = self.window.close(self.model, self.version, self.bundle)
        return NumberedWindow(stream=self.stream, number=self.number + 1, window=window)


class WindowJournal:
    """The document on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[list[NumberedWindow], list[KeptOpen]]:
        """The closed windows and the open ones; none where there is no document. Raises `DocumentError`, `LimitError` or `StoreError`."""
        if not self.path.is_file():
            return [], []
        document = Document.parse_json(beneath.read_own(self.path, MAX_BYTES), where=str(self.path), max_bytes=MAX_BYTES)
        unnamed = new_stream()  # an agent of before gave windows no names
        closed = [
            NumberedWindow.parse(table) if table.has("stream") else NumberedWindow(stream=unnamed, number=number, window=Window.parse(table))
            for number, table in enumerate(document.documents("windows"), start=1)
        ]
        return closed, [KeptOpen.parse(table) for table in document.documents("open", [], max_items=MAX_OPEN)]

    def write(self, closed: Sequence[NumberedWindow], opened: Sequence[KeptOpen]) -> None:
        """Keep windows, durably. Raises `StoreError` or `DiskFullError`; then the document is as it was."""
        fields = {"windows": [window.json() for window in closed], "open": [window.json() for window in opened]}
        data = json.dumps(fields, separators=(",", ":")).encode()
        if len(data) > MAX_BYTES:
            raise StoreError("too much to keep", where=str(self.path), expected=f"at most {MAX_BYTES} bytes", found=str(len(data)))
        with durable.translate_disk_errors(self.path):
            durable.write_bytes(self.path, data, mode=durable.PRIVATE_MODE)


def new_stream() -> str:
    """A name that no stream had."""
    return secrets.token_hex(16)
