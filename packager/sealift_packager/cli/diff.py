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
@click.option("--profile", help="Compare only the bundles for this profile.")
@json_option
def diff(first: Path, second: Path, profile: str | None, *, as_json: bool) -> None:
    """Show in which files and fields FIRST and SECOND differ. Each is a release or an unpacked bundle.

    To compare a release with an unpacked bundle, name the bundle's profile with --profile. The exit code is 0 if every byte is the same and 8 if
    they differ. Nothing is verified; use `verify` for that.
    """
    from sealift_packager.diff.bundles import compare

    differences = compare(first, second, profile)
    lines = [line for difference in differences for line in difference.lines()] or ["Identical, byte for byte."]
    show({"same": not differences, "differences": [difference.json() for difference in differences]}, lines, as_json=as_json)
    if differences:
        sys.exit(DIFFERENT)
