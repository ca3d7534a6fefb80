"""The look-up of known vulnerabilities never passes in silence: what wasn't checked is said, and fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.advisories import UNCHECKED, VULNERABLE, judge, look_up


def package(name: str, *advisories: str, skipped: bool = False) -> dict[str, Any]:
    if skipped:
        return {"name": name, "skip_reason": "Dependency not found on PyPI"}
    return {"name": name, "version": "1.0", "vulns": [{"id": name, "fix_versions": ["1.1"]} for name in advisories]}


def test_packages_without_advisories_pass() -> None:
    assert judge({"dependencies": [package("a"), package("b")]}, 2).code == 0


def test_an_advisory_is_named_with_the_version_that_mends_it() -> None:
    result = judge({"dependencies": [package("a", "CVE-1"), package("b")]}, 2)
    assert (result.code, result.lines) == (VULNERABLE, ("a 1.0: CVE-1, fixed in 1.1",))


def test_a_package_that_was_skipped_was_not_checked() -> None:
    result = judge({"dependencies": [package("a"), package("b", skipped=True)]}, 2)
    assert (result.code, result.lines) == (UNCHECKED, ("not checked: 1 of 2 packages have no answer from the service (b)",))


def test_a_package_that_the_report_leaves_out_was_not_checked() -> None:
    assert judge({"dependencies": [package("a")]}, 2).code == UNCHECKED
    assert judge({}, 2).code == UNCHECKED


@pytest.mark.parametrize("script", ["exit 1", "echo no report", "echo '{}'", "echo '{\"dependencies\": []}'"])
def test_a_look_up_that_breaks_was_none(tmp_path: Path, script: str) -> None:
    (tmp_path / "pip-audit").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "pip-audit").chmod(0o755)
    (tmp_path / "pins.txt").write_text("# pins\na==1.0\nb==2.0  # why\n")
    result = look_up(str(tmp_path / "pip-audit"), str(tmp_path / "pins.txt"))
    assert result.code == UNCHECKED
    assert result.lines[0].startswith("not checked: ")
    assert "2 packages" in result.lines[0]


def test_a_tool_that_is_not_there_checked_nothing(tmp_path: Path) -> None:
    (tmp_path / "pins.txt").write_text("a==1.0\n")
    assert look_up(str(tmp_path / "none"), str(tmp_path / "pins.txt")).code == UNCHECKED
