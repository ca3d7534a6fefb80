"""``sealift diff``: in which file and field two bundles differ."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from sealift_core.terminal.commandline import json_option, show

#: The exit code where there are differences: 1 is a fault of ours. See `sealift_core.terminal.commandline`.
DIFFERENT: Final = 8


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--profile", help="Only the bundles for this profile, where a side is a release.")
@json_option
def diff(first: Path, second: Path, profile: str | None, *, as_json: bool) -> None:
    """Say in which file and field FIRST and SECOND differ: releases, unpacked bundles, or one of each (name the profile then).

    Exit code 0: every byte is the same. 8: they differ. Nothing is verified: see `verify`.
    """
    from sealift_packager.diff.bundles import compare

    found = compare(first, second, profile)
    lines = [line for row in found for line in row.lines()] or ["The same, byte for byte."]
    show({"same": not found, "differences": [row.json() for row in found]}, lines, as_json=as_json)
    if found:
        sys.exit(DIFFERENT)
