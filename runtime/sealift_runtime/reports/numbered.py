"""A window with a name of its own, so that whoever is given it twice takes it once."""

from __future__ import annotations

import dataclasses

from sealift_core.messages.report import Window
from sealift_core.schema.documents import Document, Json

STREAM = r"[0-9a-f]{32}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NumberedWindow:
    """A window of one served model; ``stream`` stands for the model's time in service, ``number`` grows in it with each window, from 1."""

    stream: str
    number: int
    window: Window

    @classmethod
    def parse(cls, document: Document) -> NumberedWindow:
        """Read what `json` wrote. Raises `DocumentError` or `LimitError`."""
        return cls(
            stream=document.text("stream", pattern=STREAM),
            number=document.integer("number", minimum=1),
            window=Window.parse(document),
        )

    def json(self) -> dict[str, Json]:
        """The window as a report has it, with its name."""
        return {**self.window.json(), "stream": self.stream, "number": self.number}
