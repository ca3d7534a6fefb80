"""One named bad input with the error that it must give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``make`` writes the files into a folder of its own and gives the words of ``sealift pack`` (the model first).

    ``said`` are parts of the message; ``code`` is the exit code. One that is ``heavy`` runs in ``make acceptance`` only.
    """

    make: Callable[[Path], list[object]]
    said: tuple[str, ...]
    code: int = 3
    heavy: bool = False
