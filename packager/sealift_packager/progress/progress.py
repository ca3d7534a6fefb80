"""How the pipeline says where it is; a terminal draws it, everything else ignores it."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Protocol


class Progress(Protocol):
    """Where a build is."""

    def stage(self, title: str) -> AbstractContextManager[None]:
        """A stage runs while the block does."""

    def cached(self, title: str) -> None:
        """A stage isn't run: its result is known."""


class Silent:
    """No progress is shown."""

    def stage(self, title: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nothing."""
        return contextlib.nullcontext()

    def cached(self, title: str) -> None:
        """Nothing."""
