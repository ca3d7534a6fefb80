"""``sealift-agent doctor``: is everything in place, and if not, what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sealift_core.terminal.commandline import json_option, show
from sealift_runtime.agent.device import opened
from sealift_runtime.agent.doctor import CHECKS, FAILED, ON_REQUEST, run_checks
from sealift_runtime.agent.home import Home
from sealift_runtime.cli.options import home_option

EXIT_CODE_FAILED = 6


@click.command()
@click.option(
    "--check",
    "only",
    multiple=True,
    type=click.Choice([*CHECKS, *ON_REQUEST]),
    metavar="NAME",
    help="Run only this check. May be repeated. The check self-test, which runs every installed model in its sandbox, is run only if named.",
)
@home_option
@json_option
def doctor(only: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Check this device: its home, trust, repository, hub, disk space and installed models.

    If a check fails, the command exits with code 6.
    """
    with opened(Home.locate(home)) as device:
        findings = run_checks(device, only)
    fields = {"findings": [{"check": finding.check, "verdict": finding.verdict, "detail": finding.detail} for finding in findings]}
    show(fields, (f"{finding.verdict:<8}{finding.check:<14}{finding.detail}" for finding in findings), as_json=as_json)
    if any(finding.verdict == FAILED for finding in findings):
        sys.exit(EXIT_CODE_FAILED)
