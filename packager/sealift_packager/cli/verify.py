"""``sealift verify``: check that everything is as it was signed."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.signing.keys import PublicKey
from sealift_core.terminal.commandline import json_option, show


@click.command(short_help="Check every digest and signature of a release or a bundle.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--public-key", required=True, type=click.Path(path_type=Path), help="The signer's public key (the .pub file).")
@click.option("--profile", help="Check only the bundle for this profile.")
@json_option
def verify(path: Path, public_key: Path, profile: str | None, *, as_json: bool) -> None:
    """Check every digest and signature in PATH, a release or an unpacked bundle. An error names the file that fails."""
    from sealift_packager.diff import artifact

    key = PublicKey.load(public_key)
    verified = artifact.verify(path, key, profile)
    bundles = [
        {"name": bundle.manifest.name, "version": bundle.manifest.version, "profile": bundle.manifest.profile.name, "files": sorted(bundle.sizes)}
        for bundle in verified
    ]
    lines = [
        f"{bundle.manifest.name} {bundle.manifest.version} for {bundle.manifest.profile.name}: {len(bundle.sizes)} files, signature good"
        for bundle in verified
    ]
    show({"verified": True, "key": key.fingerprint, "bundles": bundles}, lines, as_json=as_json)
