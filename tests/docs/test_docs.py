"""The docs say what the commands do: help pages are generated, and every command line in them exists with its options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from support.help_pages import PAGE, ROOT, all_commands, page

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
HELP = all_commands()


def test_the_help_page_is_what_the_commands_print() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run make fix"


@pytest.mark.parametrize("name", HELP)
def test_every_command_and_option_has_help(name: str) -> None:
    lines = HELP[name].splitlines()
    assert any(line.startswith("  ") and not line.startswith("  -") for line in lines[1:]), "no description"
    for line in lines:
        if match := re.match(r"  (-\S.*)$", line):
            assert re.search(r"\S {2,}\S", match[1]) or lines[lines.index(line) + 1].startswith(" " * 10), f"an option without help: {line}"


def command_lines(path: Path) -> list[str]:
    """The lines of shell blocks that call one of our programs, continuation lines joined."""
    blocks = re.findall(r"```(?:sh|shell|bash|console)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if re.match(r"sealift(-agent|-hub)? ", line)]


LINES = [(path.relative_to(ROOT).as_posix(), line) for path in PAGES for line in command_lines(path)]


@pytest.mark.parametrize(("where", "line"), LINES)
def test_a_command_line_in_the_docs_names_a_real_command_with_real_options(where: str, line: str) -> None:
    words = shlex.split(line.split(" &", maxsplit=1)[0].split(" |", maxsplit=1)[0], comments=True)
    name = max((known for known in HELP if words[: len(known.split())] == known.split()), key=len, default="")
    assert name, f"{where}: no such command: {line}"
    for word in words:
        if word.startswith("--"):
            assert re.search(rf"(?<![\w-]){re.escape(word.split('=')[0])}(?![\w-])", HELP[name]), f"{where}: {name} has no {word}"


def test_a_relative_link_leads_somewhere() -> None:
    for path in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.relative_to(ROOT)} links to {target}"


@pytest.mark.parametrize("name", HELP)
def test_every_command_of_every_program_has_the_options(name: str) -> None:
    for option in ("-v, --verbose", "-q, --quiet", "--log-format [text|json]"):
        assert HELP[name].count(option) == 1, name
