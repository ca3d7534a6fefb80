"""``-v``, ``-q`` and ``--log-format``: on every command of the three programs, before the verb or after it.

A program is a `Program`, which gives the options to itself and to each of its verbs; no verb names them. What was asked for is `asked_for`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any, Final

import click

from sealift_core.terminal.logs import JSON, TEXT, Logs
from sealift_core.terminal.suggestions import suggestion

_META: Final = "sealift.logs"


def asked_for() -> Logs:
    """Find out what the command line asks for.

    Returns:
        The choice; the default outside of a command.
    """
    context = click.get_current_context(silent=True)
    logs = context.meta.get(_META) if context else None
    return logs if isinstance(logs, Logs) else Logs()


class Program(click.Group):
    """A program whose every command has the options of logging."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a program, with the options on it.

        Args:
            *args: As `click.Group` takes them.
            **kwargs: As `click.Group` takes them.
        """
        super().__init__(*args, **kwargs)
        with_logs(self)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a verb.

        Args:
            ctx: The program's context.
            cmd_name: The verb's name.

        Returns:
            The verb with the options, or None.
        """
        command = super().get_command(ctx, cmd_name)
        return with_logs(command) if command else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb of a command line.

        Args:
            ctx: The program's context.
            args: The words of the command line.

        Returns:
            The verb's name, the verb, and the words that are left.

        Raises:
            click.UsageError: If there is no such verb; the one that was probably meant is the advice.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            advice = suggestion(args[0], self.list_commands(ctx))
            message = f"No such command {args[0]!r}."
            raise click.UsageError(f"{message} {advice}" if advice else message, ctx) from error


class LazyProgram(Program):
    """A program that imports a verb's module when the verb is called for: together they import all that a wheel has."""

    def __init__(self, *args: Any, package: str, verbs: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        """Make a program.

        Args:
            *args: As `click.Group` takes them.
            package: Where the verbs' modules are.
            verbs: Each verb's module and attribute, ``module:attribute``, and its line in ``--help``.
            **kwargs: As `click.Group` takes them.
        """
        super().__init__(*args, **kwargs)
        self._package = package
        self._verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """List the verbs.

        Args:
            ctx: The program's context.

        Returns:
            The verbs' names, in the order in which they were given.
        """
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Find a verb, and import it.

        Args:
            ctx: The program's context.
            cmd_name: The verb's name.

        Returns:
            The verb with the options, or None.
        """
        if cmd_name not in self._verbs:
            return None
        module, name = self._verbs[cmd_name][0].split(":")
        command = getattr(importlib.import_module(f"{self._package}.{module}"), name)
        return with_logs(command) if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of verbs without importing any.

        Args:
            ctx: The program's context.
            formatter: Where it is written.
        """
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._verbs.items()])


def with_logs(command: click.Command) -> click.Command:
    """Give a command, and all commands of a group, the options of logging.

    Args:
        command: The command, which is changed. It may have them already.

    Returns:
        The same command.
    """
    if not any(parameter.name in NAMES for parameter in command.params):
        command.params += [_verbose(), _quiet(), _form()]
    for member in (command.commands if isinstance(command, click.Group) else {}).values():
        with_logs(member)
    return command


#: The parameters, which no file of settings has.
NAMES: Final = ("log_verbose", "log_quiet", "log_format")


def _verbose() -> click.Option:
    text = "Log each step on standard error; -vv logs details as well."
    return click.Option(["-v", "--verbose", NAMES[0]], count=True, is_eager=True, expose_value=False, callback=_more, help=text)


def _quiet() -> click.Option:
    text = "Show only results and errors."
    return click.Option(["-q", "--quiet", NAMES[1]], is_flag=True, is_eager=True, expose_value=False, callback=_less, help=text)


def _form() -> click.Option:
    text = "Log lines of text, or one JSON object per line.  [default: text]"
    forms = click.Choice([TEXT, JSON])
    return click.Option(["--log-format", NAMES[2]], type=forms, is_eager=True, expose_value=False, callback=_as, help=text)


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
