"""How a process logs: how much and in which form. It goes on to a process that takes this one's place, or is started, in the environment.

A command that does one thing logs warnings, unless it is asked for more; a service logs from INFO on. Libraries are heard from
WARNING on, or from INFO in a service, but never with their details: nobody checked those for secrets. What a command line asks for is read in
`logging_options`, for the processes of a service do without click.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from typing import Final, Self

from sealift_core.terminal.printing import log_nowhere, log_to_stderr
from sealift_core.terminal.records import JsonFormatter, OneLineFormatter

TEXT, JSON = "text", "json"
#: How one process tells another one that takes its place, or that it starts, what was asked for.
VARIABLE: Final = "SEALIFT_LOG"
_LEVELS: Final = {-1: logging.ERROR, 1: logging.INFO, 2: logging.DEBUG}
_LINE: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What was asked for.

    Attributes:
        verbosity: -1 for ``-q``, 0 for nothing, 1 for ``-v``, 2 for ``-vv``.
        form: ``text`` or ``json``.
    """

    verbosity: int = 0
    form: str = TEXT

    @property
    def quiet(self) -> bool:
        """Whether nothing but errors is to be shown."""
        return self.verbosity < 0

    @property
    def draws(self) -> bool:
        """Whether a display may be drawn on standard error: neither where log lines come, nor where nothing is to be shown."""
        return self == Logs()

    def level(self, default: int) -> int:
        """Tell from which level on records are written.

        Args:
            default: The level where nothing was asked for.

        Returns:
            A level of `logging`.
        """
        return _LEVELS.get(min(self.verbosity, 2), default)

    def for_command(self) -> None:
        """Log as a command that does one thing; where nothing was asked for, as if there were no log."""
        if self == Logs():
            log_nowhere()
            return
        formatter = JsonFormatter() if self.form == JSON else OneLineFormatter(_LINE, datefmt="%H:%M:%S")
        level = self.level(logging.WARNING)
        log_to_stderr(formatter, level=level, libraries=max(level, logging.WARNING))

    def for_service(self, line: str, process: str = "") -> None:
        """Log as a service.

        Args:
            line: The format of a record where the log is text.
            process: The name of the process where the log is JSON; empty if there is only one.
        """
        formatter = JsonFormatter(process) if self.form == JSON else OneLineFormatter(line)
        level = self.level(logging.INFO)
        log_to_stderr(formatter, level=level, libraries=max(level, logging.INFO))

    def environment(self) -> dict[str, str]:
        """Write the choice as variables for a process that is started or takes this one's place."""
        return {VARIABLE: f"{self.verbosity} {self.form}"}

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read what another process passed on.

        Args:
            environment: Variables, one of which may be `VARIABLE`.

        Returns:
            The choice; the default where nothing there makes sense.
        """
        verbosity, _, form = environment.get(VARIABLE, "").partition(" ")
        sensible = verbosity in ("-1", "0", "1", "2") and form in (TEXT, JSON)
        return cls(verbosity=int(verbosity), form=form) if sensible else cls()
