"""``sealift-agent``: one file per verb; a verb parses its options, calls the agent, and prints."""

from __future__ import annotations

import importlib
from typing import Final

import click

from sealift_runtime import __version__, commandline

#: Verb → where its command is. A verb's module is imported when it is called, so that ``--help`` is quick and small.
COMMANDS: Final = {
    "init": "init:init",
    "sync": "sync:sync",
    "run": "run:run",
    "status": "status:status",
    "infer": "infer:infer",
    "rollback": "rollback:rollback",
    "detect": "detect:detect",
    "doctor": "doctor:doctor",
    "import": "media:import_command",
    "export": "media:export_command",
}


class LazyGroup(click.Group):
    """A group that imports a verb's module when the verb is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The verbs, in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """A verb, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(f"sealift_runtime.cli.{module}"), name)
        return command if isinstance(command, click.Command) else None


@click.group(
    cls=LazyGroup,
    epilog="Exit codes: 0 done, 2 usage, 3 wrong input, 4 refused, 5 not reachable, 6 this machine can't, 7 a model doesn't pass.",
)
@click.version_option(__version__)
def cli() -> None:
    """Pull, verify, self-test, serve and watch models on this device."""


def main() -> None:
    """Entry point of ``sealift-agent``."""
    commandline.run(cli)
