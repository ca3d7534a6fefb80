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
    """Receives the stages of a build, to show or to log them."""

    def stage(self, title: str) -> AbstractContextManager[None]:
        """Show that a stage runs while a block does.

        Args:
            title: The stage, in words.

        Returns:
            A context manager to run the stage in.
        """

    def cached(self, title: str) -> None:
        """Show that a stage isn't run, because its result is known.

        Args:
            title: The stage, in words.
        """


class Silent:
    """Shows no progress."""

    def stage(self, title: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """Show nothing.

        Args:
            title: The stage, in words.

        Returns:
            A context manager that does nothing.
        """
        return contextlib.nullcontext()

    def cached(self, title: str) -> None:
        """Show nothing.

        Args:
            title: The stage, in words.
        """


class Logged:
    """Shows progress by the log alone, if anybody reads it."""

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Log when a stage begins (with details), and when it is done.

        Args:
            title: The stage, in words.

        Yields:
            Nothing.
        """
        start = time.monotonic()
        _LOG.debug("%s …", title)
        yield
        seconds = time.monotonic() - start
        _LOG.info("%s: done in %.1f s", title, seconds, extra=facts(stage=title, cached=False, seconds=round(seconds, 3)))

    def cached(self, title: str) -> None:
        """Log that a stage's result is known.

        Args:
            title: The stage, in words.
        """
        _LOG.info("%s: taken from the cache", title, extra=facts(stage=title, cached=True))
