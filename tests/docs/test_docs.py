"""The docs say what the commands do: help pages are generated, and every command line in them exists with its options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from support.help_pages import PAGE, ROOT, all_commands, page

PAGES = sorted(
    [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
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


def anchors(path: Path) -> set[str]:
    """What can stand behind the ``#`` of a link to a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_a_link_to_a_heading_leads_to_one() -> None:
    for path in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text(encoding="utf-8")):
            page = path.parent / target if target else path
            assert page.suffix != ".md" or anchor in anchors(page), f"{path.relative_to(ROOT)} links to {target}#{anchor}"


@pytest.mark.parametrize("folder", ["how-to", "reference", "explanation"])
def test_every_page_of_a_folder_stands_in_its_index(folder: str) -> None:
    listed = set(re.findall(r"^- \[[^\]]+\]\(([^)]+)\):? ", (ROOT / "docs" / folder / "index.md").read_text(encoding="utf-8"), re.MULTILINE))
    there = {path.relative_to(ROOT / "docs" / folder).as_posix() for path in (ROOT / "docs" / folder).glob("*.md")}
    assert listed >= there - {"index.md"}


@pytest.mark.parametrize("name", HELP)
def test_every_command_of_every_program_has_the_options(name: str) -> None:
    for option in ("-v, --verbose", "-q, --quiet", "--log-format [text|json]"):
        assert HELP[name].count(option) == 1, name
