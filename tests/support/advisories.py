"""Known vulnerabilities of pinned packages, as pip-audit finds them; what it couldn't look up is a failure, and said.

pip-audit by itself ends well where it skipped every package, as it does behind an index that has no advisories. As a script:
``python tests/support/advisories.py PIP-AUDIT REQUIREMENTS``; exits with 1 for a vulnerability, with 2 if a package wasn't checked.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

VULNERABLE: Final = 1
UNCHECKED: Final = 2
TIMEOUT_S: Final = 600
_SHOWN: Final = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """An exit code, and the lines that say why."""

    code: int
    lines: tuple[str, ...]


def judge(report: Mapping[str, Any], expected: int) -> AuditResult:
    """What a report of pip-audit comes to, given how many packages it was to look up."""
    packages = report.get("dependencies", [])
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    vulnerable = [
        f"{package['name']} {package['version']}: {advisory['id']}, fixed in {', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package in packages
        for advisory in package.get("vulns", ())
    ]
    missing = expected - len(packages) + len(skipped)
    unchecked = [f"not checked: {missing} of {expected} packages have no answer from the service ({_some(skipped)})"] if missing else []
    if vulnerable or unchecked:
        return AuditResult(code=VULNERABLE if vulnerable else UNCHECKED, lines=(*vulnerable, *unchecked))
    return AuditResult(code=0, lines=(f"No known vulnerability in {expected} packages.",))


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "") if names else "the report doesn't name them"


def look_up(pip_audit: str, requirements: str) -> AuditResult:
    """Ask pip-audit about every pin of a requirements file."""
    pins = sum("==" in line.partition("#")[0] for line in Path(requirements).read_text(encoding="utf-8").splitlines())
    command = [pip_audit, "--requirement", requirements, "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        report = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return AuditResult(code=UNCHECKED, lines=(f"not checked: none of {pins} packages, as pip-audit gave no report ({_reason(error)})",))
    return judge(report, pins)


def _reason(error: Exception) -> str:
    return "no connection, or no such service" if isinstance(error, ValueError) else type(error).__name__


def main(pip_audit: str, requirements: str) -> int:
    """Say what was found; the exit code."""
    result = look_up(pip_audit, requirements)
    print("\n".join(result.lines), file=sys.stderr if result.code else sys.stdout)
    return result.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
