"""``sealift repo check``: every byte of a repository against what was signed."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.errors import IntegrityError
from sealift_core.terminal.commandline import json_option, show
from sealift_packager.cli.repo_options import directory_argument
from sealift_packager.repository.check import check_repository
from sealift_packager.repository.directory import Repository


@click.command()
@directory_argument
@json_option
def check(directory: Path, *, as_json: bool) -> None:
    """Compare every blob and all metadata with what was signed.

    If a blob is damaged or missing, the command names it and exits with code 4. To mend it, add its release again with `sealift repo add`.
    """
    result = check_repository(Repository(directory))
    lines = [f"{damage.target}: {damage.problem}" for damage in result.damage]
    whole = f"All metadata and {result.blobs} blobs ({result.size_bytes / 1e6:.1f} MB) are as they were signed."
    show(result.json(), lines or whole, as_json=as_json)
    if lines:
        raise IntegrityError(
            "blobs are damaged or missing",
            where=str(directory),
            found=f"{len(lines)} of {result.blobs}",
            advice="Add their releases again: `sealift repo add`. For a channel, promote its release again.",
        )
