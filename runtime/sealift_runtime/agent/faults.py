"""What fails beside the request path: contained, counted, and told; serving goes on.

Whatever the data plane does besides answering (monitoring, measuring, its regular work) runs inside `Faults.contained`. A fault there is logged and
becomes an event of the device once for each place that fails; /metrics counts all.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import logging
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sealift_core.messages.report import MAX_NAME_CHARACTERS
from sealift_core.schema.documents import Document, Json

#: What a data plane that fails in ever new ways tells at most, until it starts again; the metric goes on counting.
MAX_TOLD: Final = 32
MAX_DETAIL_CHARACTERS: Final = 1_000
logger = logging.getLogger("sealift.agent")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which a part failed; ``number`` orders those of one data plane."""

    number: int
    part: str
    model: str
    detail: str

    @classmethod
    def parse(cls, document: Document) -> Fault:
        """Read a fault that the data plane tells."""
        return cls(
            number=document.integer("number", minimum=1),
            part=document.text("part", max_characters=MAX_NAME_CHARACTERS),
            model=document.text("model", max_characters=128),
            detail=document.text("detail", max_characters=MAX_DETAIL_CHARACTERS),
        )

    def json(self) -> dict[str, Json]:
        """Write the fault for the control plane."""
        return dataclasses.asdict(self)


class Faults:
    """The faults of one data plane; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: collections.Counter[str] = collections.Counter()
        self._known: set[tuple[str, str, str]] = set()
        self._told: list[Fault] = []

    @contextlib.contextmanager
    def contained(self, part: str, model: str = "") -> Iterator[None]:
        """Run a block whose fault must not end the process."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the outermost loop of what runs beside the request path
            self.note(part, error, model)

    def note(self, part: str, error: Exception, model: str = "") -> None:
        """Count a fault; log it and keep it to be told if none of this part came from the same place before."""
        place = _place(error)
        with self._lock:
            self._counts[part] += 1
            key = (part, model, f"{type(error).__name__} {place}")
            if key in self._known or len(self._known) >= MAX_TOLD:
                return
            self._known.add(key)
            detail = f"{part} failed, serving goes on; caused by: {type(error).__name__}: {error} ({place})"[:MAX_DETAIL_CHARACTERS]
            self._told.append(Fault(number=len(self._known), part=part, model=model, detail=detail))
        logger.error("%s", detail, exc_info=error)

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each part failed."""
        with self._lock:
            return dict(self._counts)

    def told(self) -> list[Fault]:
        """What nobody acknowledged."""
        with self._lock:
            return list(self._told)

    def acknowledge(self, number: int) -> None:
        """Let go the faults up to a number."""
        with self._lock:
            self._told = [fault for fault in self._told if fault.number > number]


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
