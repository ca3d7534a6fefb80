"""``sealift-agent doctor``: is everything in place, and if not, what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sealift_core.terminal.commandline import json_option, show
from sealift_runtime.agent.device import opened
from sealift_runtime.agent.doctor import FAILED, check_up
from sealift_runtime.agent.home import Home
from sealift_runtime.cli.options import home_option

NOT_WELL = 6


@click.command()
@home_option
@json_option
def doctor(home: Path | None, as_json: bool) -> None:
    """Check this device: its home, trust, repository, hub, disk space and installed models.

    If a check fails, the command exits with code 6.
    """
    with opened(Home.locate(home)) as device:
        findings = check_up(device)
    fields = {"findings": [{"check": row.check, "verdict": row.verdict, "detail": row.detail} for row in findings]}
    show(fields, (f"{row.verdict:<8}{row.check:<14}{row.detail}" for row in findings), as_json=as_json)
    if any(row.verdict == FAILED for row in findings):
        sys.exit(NOT_WELL)
