"""``-v``, ``-q`` and ``--log-format``: on every command of the three programs, before the verb or after it.

A program is a `Program`, which gives the options to itself and to each of its verbs; no verb names them. What was asked for is
`asked_for`; where a process goes on as another one (a service), it goes there in the environment.

A command that does one thing logs warnings, unless it is asked for more; a service logs from INFO on. Libraries are heard from
WARNING on, or from INFO in a service, but never with their details: nobody checked those for secrets.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from typing import Any, Final, Self

import click

from sealift_core.terminal.printing import log_nowhere, log_to_stderr
from sealift_core.terminal.records import JsonFormatter, OneLineFormatter

TEXT, JSON = "text", "json"
#: How one process tells another one that takes its place, or that it starts, what was asked for.
VARIABLE: Final = "SEALIFT_LOG"
_LEVELS: Final = {-1: logging.ERROR, 1: logging.INFO, 2: logging.DEBUG}
_META: Final = "sealift.logs"
_LINE: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What was asked for: ``verbosity`` is -1 for ``-q``, 0 for nothing, 1 for ``-v``, 2 for ``-vv``."""

    verbosity: int = 0
    form: str = TEXT

    @property
    def quiet(self) -> bool:
        """Whether nothing but errors is to be shown."""
        return self.verbosity < 0

    @property
    def draws(self) -> bool:
        """Whether a display may be drawn on standard error: not where log lines come, and not where nothing is to be shown."""
        return self == Logs()

    def level(self, default: int) -> int:
        """From which level on records are written."""
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
        """Log as a service: each record a ``line`` of this format, with the name of the process if there are several."""
        formatter = JsonFormatter(process) if self.form == JSON else OneLineFormatter(line)
        level = self.level(logging.INFO)
        log_to_stderr(formatter, level=level, libraries=max(level, logging.INFO))

    def environment(self) -> dict[str, str]:
        """For a process that is started or takes this one's place."""
        return {VARIABLE: f"{self.verbosity} {self.form}"}

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """What another process passed on; the default where it said nothing that makes sense."""
        verbosity, _, form = environment.get(VARIABLE, "").partition(" ")
        sensible = verbosity in ("-1", "0", "1", "2") and form in (TEXT, JSON)
        return cls(verbosity=int(verbosity), form=form) if sensible else cls()


def asked_for() -> Logs:
    """What the command line asks for; the default outside of a command."""
    context = click.get_current_context(silent=True)
    logs = context.meta.get(_META) if context else None
    return logs if isinstance(logs, Logs) else Logs()


class Program(click.Group):
    """A program whose every command has the options of logging."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with_logs(self)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb with the options, or None."""
        command = super().get_command(ctx, cmd_name)
        return with_logs(command) if command else None


def with_logs(command: click.Command) -> click.Command:
    """The command, and all commands of a group, with the options of logging."""
    if not any(parameter.name in NAMES for parameter in command.params):
        command.params += [_verbose(), _quiet(), _form()]
    for member in (command.commands if isinstance(command, click.Group) else {}).values():
        with_logs(member)
    return command


#: The parameters, which no file of settings has.
NAMES: Final = ("log_verbose", "log_quiet", "log_format")


def _verbose() -> click.Option:
    text = "Log what is done, step by step, on standard error; -vv with details."
    return click.Option(["-v", "--verbose", NAMES[0]], count=True, is_eager=True, expose_value=False, callback=_more, help=text)


def _quiet() -> click.Option:
    text = "Show nothing but results and errors."
    return click.Option(["-q", "--quiet", NAMES[1]], is_flag=True, is_eager=True, expose_value=False, callback=_less, help=text)


def _form() -> click.Option:
    text = "Log lines of text, or a JSON object on each line.  [default: text]"
    kind = click.Choice([TEXT, JSON])
    return click.Option(["--log-format", NAMES[2]], type=kind, is_eager=True, expose_value=False, callback=_as, help=text)


def _more(context: click.Context, _: click.Parameter, value: int) -> None:
    logs = _logs(context)
    if value and logs.quiet:
        raise click.UsageError("Pass -v or -q, not both.", context)
    _set(context, dataclasses.replace(logs, verbosity=min(logs.verbosity + value, 2)))


def _less(context: click.Context, _: click.Parameter, value: bool) -> None:
    logs = _logs(context)
    if value and logs.verbosity > 0:
        raise click.UsageError("Pass -v or -q, not both.", context)
    _set(context, dataclasses.replace(logs, verbosity=-1) if value else logs)


def _as(context: click.Context, _: click.Parameter, value: str | None) -> None:
    _set(context, dataclasses.replace(_logs(context), form=value) if value else _logs(context))


def _logs(context: click.Context) -> Logs:
    logs = context.meta.get(_META)
    return logs if isinstance(logs, Logs) else Logs()


def _set(context: click.Context, logs: Logs) -> None:
    if context.resilient_parsing or context.meta.get(_META) == logs:
        return
    context.meta[_META] = logs
    logs.for_command()
