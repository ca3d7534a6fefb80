"""docs/reference/commands.md: the help of every command, as the commands themselves print it. Run as a script, it writes the page."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "commands.md"
PROGRAMS = {"sealift": "sealift_packager.cli", "sealift-agent": "sealift_runtime.cli", "sealift-hub": "sealift_hub.cli"}
HEAD = "# Commands\n\nThis page shows the help of every command, as `--help` prints it. `make fix` generates it from the commands.\n"


def commands(name: str, command: click.Command, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Each command's full name with its help text, depth first, groups before their members."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=110, max_content_width=110)
    if not command.hidden:
        yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for member in command.list_commands(context):
            subcommand = command.get_command(context, member)
            if subcommand is not None:
                yield from commands(member, subcommand, context)


def all_commands() -> dict[str, str]:
    """Every command of the three programs with its help text."""
    pages: dict[str, str] = {}
    for program, module in PROGRAMS.items():
        pages.update(commands(program, importlib.import_module(module).cli))
    return pages


def page() -> str:
    """The whole page."""
    sections = [f"## {name}\n\n```text\n{text}\n```\n" for name, text in all_commands().items()]
    return HEAD + "\n" + "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
