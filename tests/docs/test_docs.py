"""The docs say what the commands do: help pages are generated, and every command line in them exists with its options."""

from __future__ import annotations

import os
import pkgutil
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from support.cli import BIN
from support.help_pages import PAGE, ROOT, all_commands, page

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
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


def without_code(text: str) -> str:
    """A page without its code: fenced blocks, and what is between backticks."""
    return re.sub(r"`[^`\n]*`", lambda code: code[0].strip("`").replace("](", "] ("), re.sub(r"(?ms)^ *```.*?^ *```$", "", text))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"(?m)^#+ (.*)", without_code(path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-") for heading in headings}


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


LINKS = [
    (path, target, anchor)
    for path in PAGES
    for target, anchor in re.findall(r"\]\(([^)\s#:]*)(?:#([^)\s]+))?\)", without_code(path.read_text(encoding="utf-8")))
]


def test_a_relative_link_leads_somewhere() -> None:
    dead = [f"{page.relative_to(ROOT)} links to {target}" for page, target, _ in LINKS if not (page.parent / target).exists()]
    assert dead == []


def test_an_anchor_is_a_heading_of_its_page() -> None:
    linked = [(page.relative_to(ROOT), page.parent / target if target else page, anchor) for page, target, anchor in LINKS if anchor]
    dead = [f"{page} links to {path.name}#{anchor}" for page, path, anchor in linked if path.suffix == ".md" and anchor not in anchors(path)]
    assert dead == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_begins_with_its_one_title(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    titles = re.findall(r"(?m)^# .*", without_code(text))
    assert len(titles) == 1
    assert text.startswith(titles[0])


@pytest.mark.parametrize("folder", sorted({path.parent for path in PAGES if path.parent not in {ROOT, ROOT / "docs"}}), ids=lambda path: path.name)
def test_the_index_of_a_folder_links_to_each_of_its_pages(folder: Path) -> None:
    linked = {(folder / target).resolve() for path, target, _ in LINKS if path == folder / "index.md"}
    assert {path for path in [*folder.glob("*.md"), *folder.glob("*/index.md")] if path.resolve() not in linked} <= {folder / "index.md"}


def test_what_a_page_of_the_api_shows_is_there() -> None:
    for path in PAGES:
        for name in re.findall(r"(?m)^::: (\S+)", path.read_text(encoding="utf-8")):
            assert pkgutil.resolve_name(name), path


@pytest.mark.parametrize("name", HELP)
def test_every_command_of_every_program_has_the_options(name: str) -> None:
    for option in ("-v, --verbose", "-q, --quiet", "--log-format [text|json]"):
        assert HELP[name].count(option) == 1, name


GROUPS = [name for name, text in HELP.items() if "\nCommands:\n" in text]


@pytest.mark.parametrize("name", GROUPS)
def test_a_list_of_commands_has_a_whole_line_for_each(name: str) -> None:
    words = name.split()
    shown = subprocess.run(
        [BIN / words[0], *words[1:], "--help"], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"}
    ).stdout
    listed = shown.partition("\nCommands:\n")[2].split("\n\n")[0].splitlines()
    assert listed
    assert [line for line in listed if not re.match(r"  [a-z]+ +\S.*\.$", line) or line.endswith("...")] == []
