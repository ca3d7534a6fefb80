"""``sealift inspect``: what a release or a bundle is."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.terminal.commandline import json_option, show


@click.command(short_help="Show the contents of a release or of an unpacked bundle.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--profile", help="Show only the bundle for this profile.")
@json_option
def inspect(path: Path, profile: str | None, *, as_json: bool) -> None:
    """Show the contents of PATH, a release (written by `pack`) or an unpacked bundle. Nothing is verified; use `verify` for that."""
    from sealift_packager.cli.tables import view_json, views_lines
    from sealift_packager.diff.artifact import view

    bundles = view(path, profile)
    show([view_json(bundle) for bundle in bundles], views_lines(bundles), as_json=as_json)
