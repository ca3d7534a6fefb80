"""Progress on stderr: a spinner and the seconds of each stage at a terminal, nothing in a pipe."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from sealift_core.terminal.printable import printable


class TerminalProgress:
    """A `Progress` at a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A spinner while the stage runs, and one line when it is done."""
        start = time.monotonic()
        with self._console.status(Text(printable(title))):
            yield
        self._console.print(_done(title, f"{time.monotonic() - start:.1f} s"))

    def cached(self, title: str) -> None:
        """One line that says so."""
        self._console.print(_done(title, "cached"))


def _done(title: str, how: str) -> Text:
    return Text.assemble(("✓", "green"), f" {printable(title)} ", (how, "dim"))
