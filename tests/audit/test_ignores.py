"""No rule about weak code is switched off without a reason beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.help_pages import ROOT

SOURCES = [
    path for folder in ("core", "runtime", "packager", "hub", "tests", "benchmarks", "examples") for path in sorted((ROOT / folder).rglob("*.py"))
]
NOQA = re.compile(r"#\s*noqa(?P<codes>:[^#(]*?)?(?P<reason>(?:\s+-\s+|\s+\(|\s+#\s*)\S.*)?$")


def bare_suppressions(text: str) -> list[str]:
    """Lines that silence a rule of ruff's S, or all rules, without saying why."""
    bare = []
    for line in text.splitlines():
        match = NOQA.search(line)
        if match and (match["codes"] is None or re.search(r"\bS\d{3}\b", match["codes"])) and not match["reason"]:
            bare.append(line.strip())
    return bare


def test_a_suppression_without_a_reason_is_seen_by_this_test() -> None:
    mark = "# " + "noqa"
    assert bare_suppressions(f"x = 1  {mark}: S311\ny = 2  {mark}\nz = 3  {mark}: S311 - an order, no secret\na = 4  {mark}: SLF001")[:2] == [
        f"x = 1  {mark}: S311",
        f"y = 2  {mark}",
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_suppressed_rule_has_its_reason_beside_it(path: Path) -> None:
    assert bare_suppressions(path.read_text(encoding="utf-8")) == []


def test_every_ignored_rule_of_the_settings_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = re.search(r"^ignore = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    per_file = re.search(r"^\[tool\.ruff\.lint\.per-file-ignores\]\n(.*?)^\[", text, re.MULTILINE | re.DOTALL)
    assert ignored
    assert per_file
    lines = [line for line in (ignored[1] + per_file[1]).splitlines() if '"' in line]
    assert [line for line in lines if not re.search(r"#\s*\S", line)] == []
