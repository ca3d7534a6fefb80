"""Progress on stderr: a spinner and the seconds of each stage at a terminal, in a pipe (as a CI job's log is) a line for each stage."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from sealift_core.terminal.logging_options import asked_for
from sealift_core.terminal.printable import printable
from sealift_core.terminal.printing import say
from sealift_packager.cli.console import plain_console
from sealift_packager.progress.progress import Logged, Progress

#: A stage that takes longer says that it still runs: some CI services end a job that says nothing for minutes.
SIGN_OF_LIFE_S: Final = 60.0


def progress_on_stderr(*, as_json: bool) -> Progress:
    """What shows a build's stages: nothing under ``--json`` (an error is all that is read there) and ``-q``, the log under ``-v``."""
    logs = asked_for()
    if as_json or logs.verbosity:
        return Logged()
    console = plain_console()
    return TerminalProgress(console) if logs.draws and console.is_terminal and os.isatty(2) else LineProgress()


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


class LineProgress:
    """A `Progress` where lines are kept: one for each stage, when it is done."""

    def __init__(self, sign_of_life_s: float = SIGN_OF_LIFE_S) -> None:
        self._every_s = sign_of_life_s

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """One line with the seconds when the stage is done, and one now and then before if it takes long."""
        start, done = time.monotonic(), threading.Event()
        threading.Thread(target=self._live, args=(title, start, done), daemon=True).start()
        try:
            yield
        finally:
            done.set()
        say(f"{title}: {time.monotonic() - start:.1f} s", error=True)

    def _live(self, title: str, start: float, done: threading.Event) -> None:
        while not done.wait(self._every_s):
            say(f"{title}: has been running for {time.monotonic() - start:.0f} s", error=True)

    def cached(self, title: str) -> None:
        """One line that says so."""
        say(f"{title}: cached", error=True)


def _done(title: str, how: str) -> Text:
    return Text.assemble(("✓", "green"), f" {printable(title)} ", (how, "dim"))
