"""``sealift unpack``: one bundle of a release, as a directory."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.terminal.commandline import json_option, show


@click.command(short_help="Write one bundle of a release to a new folder.")
@click.argument("release", type=click.Path(path_type=Path))
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--profile", required=True, help="The profile whose bundle is written.")
@json_option
def unpack(release: Path, directory: Path, profile: str, *, as_json: bool) -> None:
    """Write the bundle of RELEASE for a profile to DIRECTORY, which must not exist yet."""
    from sealift_packager.diff import artifact

    manifest = artifact.unpack(release, profile, directory)
    fields = {"directory": str(directory), "name": manifest.name, "version": manifest.version, "profile": profile}
    show(fields, f"{directory}: {manifest.name} {manifest.version} for {profile}", as_json=as_json)
