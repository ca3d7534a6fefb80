"""Progress on stderr: a spinner and the seconds of each stage at a terminal, nothing in a pipe."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console


class TerminalProgress:
    """A `Progress` at a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A spinner while the stage runs, and one line when it is done."""
        start = time.monotonic()
        with self._console.status(title):
            yield
        self._console.print(f"[green]✓[/green] {title} [dim]{time.monotonic() - start:.1f} s[/dim]", highlight=False)

    def cached(self, title: str) -> None:
        """One line that says so."""
        self._console.print(f"[green]✓[/green] {title} [dim]cached[/dim]", highlight=False)
