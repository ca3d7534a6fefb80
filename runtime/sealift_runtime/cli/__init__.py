"""``sealift-agent``: one file per verb; a verb parses its options, calls the agent, and prints."""

from __future__ import annotations

import importlib
from typing import Final

import click

from sealift_core.schema.documents import nearest
from sealift_core.terminal import commandline
from sealift_core.terminal.logging_options import Program, with_logs
from sealift_runtime import __version__

#: Verb → where its command is, and its line in ``--help``. A verb's module is imported when the verb is called: together they
#: import all of the runtime, which ``--help`` shouldn't wait for.
COMMANDS: Final = {
    "init": ("init:init", "Set up this device: its key, its root of trust, its repository."),
    "sync": ("sync:sync", "Install what the channel names, after a self-test."),
    "run": ("run:run", "Serve the installed models, follow the channel, send reports."),
    "status": ("status:status", "Show the installed models, what is served, and recent events."),
    "infer": ("infer:infer", "Run a model on given inputs, or on a golden case."),
    "rollback": ("rollback:rollback", "Go back to the previous version of a model."),
    "detect": ("detect:detect", "Show the facts about this machine that bundles are chosen by."),
    "doctor": ("doctor:doctor", "Check this device, and say how to fix what is wrong."),
    "import": ("media:import_command", "Install from a medium, and read the hub's receipts on it."),
    "export": ("media:export_command", "Write this device's signed reports to a medium."),
}


class LazyGroup(Program):
    """A group that imports a verb's module when the verb is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The verbs, in the order in which one meets them."""
        return list(COMMANDS)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb of a command line; a misspelt one gets the nearest as advice."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            advice = nearest(args[0], list(COMMANDS))
            raise click.UsageError(f"{error.message} {advice}" if advice else error.message, ctx) from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """A verb, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command = getattr(importlib.import_module(f"sealift_runtime.cli.{module}"), name)
        return with_logs(command) if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of verbs, from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    epilog="Exit codes: 0 success, 2 wrong usage, 3 wrong input, 4 refused, 5 not reachable, 6 not possible on this machine, 7 a model didn't pass.",
)
@click.version_option(__version__)
def cli() -> None:
    """Fetch, verify, self-test, serve and monitor models on this device."""


def main() -> None:
    """Entry point of ``sealift-agent``."""
    commandline.run(cli)
