"""``sealift-agent``: one file per verb; a verb parses its options, calls the agent, and prints."""

from __future__ import annotations

from typing import Final

import click

from sealift_core.terminal import commandline
from sealift_core.terminal.logging_options import LazyProgram
from sealift_runtime import __version__

#: Verb → where its command is, and its line in ``--help``.
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


@click.group(
    cls=LazyProgram,
    package=__name__,
    verbs=COMMANDS,
    epilog="Exit codes: 0 success, 2 wrong usage, 3 wrong input, 4 refused, 5 not reachable, 6 not possible on this machine, 7 a model didn't pass.",
)
@click.version_option(__version__)
def cli() -> None:
    """Fetch, verify, self-test, serve and monitor models on this device."""


def main() -> None:
    """Entry point of ``sealift-agent``."""
    commandline.run(cli)
