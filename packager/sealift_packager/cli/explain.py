"""``sealift explain``: why a bundle ships the candidate that it ships."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.terminal.commandline import blocks, json_option, show


@click.command(short_help="Explain why a bundle ships its candidate and not another one.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--profile", help="Explain only the bundle for this profile.")
@json_option
def explain(path: Path, profile: str | None, *, as_json: bool) -> None:
    """Explain why PATH, a release or an unpacked bundle, ships its candidate and not another one."""
    from sealift_packager.diff.artifact import view
    from sealift_packager.report.sentences import explain as sentences

    reasons = {bundle.manifest.profile.name: sentences(bundle.manifest) for bundle in view(path, profile)}
    show(reasons, blocks(reasons.values()), as_json=as_json)
