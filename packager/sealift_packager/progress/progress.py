"""How the pipeline says where it is; a terminal draws it, everything else ignores it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from sealift_core.terminal.records import facts

#: A stage's title comes from the process that builds, so it has a logger of its own.
_LOG: Final = logging.getLogger("sealift.stage")


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


class Logged:
    """Progress is shown by the log alone, if anybody reads it."""

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A record when the stage begins (with details), and one when it is done."""
        start = time.monotonic()
        _LOG.debug("%s …", title)
        yield
        seconds = time.monotonic() - start
        _LOG.info("%s: done in %.1f s", title, seconds, extra=facts(stage=title, cached=False, seconds=round(seconds, 3)))

    def cached(self, title: str) -> None:
        """A record that says so."""
        _LOG.info("%s: taken from the cache", title, extra=facts(stage=title, cached=True))
