"""`sealift kit`: one medium with all that a site without a network needs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from sealift_core.clock import SystemClock
from sealift_core.schema.documents import Json
from sealift_core.terminal.commandline import json_option, show
from sealift_core.terminal.logging_options import Program, asked_for
from sealift_core.terminal.printing import say
from sealift_packager.cli.passphrase import passphrase_option, passphrases
from sealift_packager.kit.build import Kit, KitRequest, build_kit
from sealift_packager.kit.wheels import WheelRequest

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_NEW = click.Path(path_type=Path)


@click.group(cls=Program, short_help="Make site kits: all that a site needs, on one medium.")
def kit() -> None:
    """Site kits: models, agent, installer and root of trust on one medium."""


@kit.command(short_help="Build a kit for a site from a repository.")
@click.option("--repo", "repository", required=True, type=_NEW, help="The repository to take the releases from.")
@click.option("--out", required=True, type=_NEW, help="The folder to create, or an empty one, such as a mounted stick.")
@click.option(
    "--channel",
    "channels",
    multiple=True,
    default=("stable",),
    show_default=True,
    help="Include the releases that this channel points to. Can be given several times; the site follows the first channel.",
)
@click.option("--model", "models", multiple=True, help="Include only this model (default: every model of the channel).")
@click.option("--version", help="Also include this version of the model. Needs exactly one --model.")
@click.option("--wheels", "folder", type=_FOLDER, help="A folder with all of the agent's wheels. It is used as it is; pip isn't run.")
@click.option(
    "--own-wheel",
    "own_wheels",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="A wheel or source folder of sealift-core or sealift-runtime; give one for each. If you leave one out, it is taken from --wheelhouse or "
    "--index, or from what is installed beside this command.",
)
@click.option(
    "--wheelhouse", type=_FOLDER, help="The only folder that pip takes wheels from (default: pip's own settings, which may use the network)."
)
@click.option(
    "--index", metavar="URL", help="The package index to get sealift-core and sealift-runtime from. Without it, they are not looked up on any index."
)
@click.option("--any-version", is_flag=True, help="Let pip take other versions of what the agent needs than those that it was tested with.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="TAG",
    help="The target's platform, as pip names it, such as manylinux_2_28_aarch64 (default: this machine). Wheels for older systems fit, too.",
)
@click.option("--python-version", "pythons", multiple=True, metavar="3.N", help="The target's Python (default: this one).")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Sign the kit with this private key (PEM).",
)
@click.option(
    "--hub-key",
    metavar="FINGERPRINT",
    default="",
    help="Fingerprint of the hub's key, as sealift-hub init prints it: devices that are installed from the kit take receipts by this key only.",
)
@passphrase_option
@json_option
def build(
    *,
    as_json: bool,
    repository: Path,
    out: Path,
    channels: tuple[str, ...],
    models: tuple[str, ...],
    version: str | None,
    key: Path | None,
    hub_key: str,
    passphrase_files: tuple[Path, ...],
    **wheels: Any,
) -> None:
    """Build a kit: a repository with the chosen releases only, the agent's wheels, install.sh, root.json, SHA256SUMS and its signature.

    Building a kit may use the network to download wheels. Installing it at the site never uses the network.
    """
    signer = passphrases(passphrase_files).load(key) if key else None
    request = KitRequest(
        repository=repository,
        out=out,
        channels=channels,
        models=models,
        version=version,
        wheels=WheelRequest(**wheels),
        key=signer,
        hub_key=hub_key,
    )
    made = build_kit(request, now=SystemClock().now())
    for warning in () if asked_for().quiet else made.warnings:
        say(f"warning: {warning}", error=True, level=logging.WARNING)
    show(_json(made), _lines(made), as_json=as_json)


def _json(made: Kit) -> dict[str, Json]:
    return {
        "kit": str(made.directory),
        "releases": [{"name": name, "version": version} for name, version in made.selection.releases],
        "left_out": [{"name": name, "version": version} for name, version in made.selection.left_out],
        "channels": list(made.selection.channels),
        "runtime_version": made.wheels.runtime_version,
        "pythons": list(made.wheels.pythons),
        "machines": list(made.wheels.machines),
        "files": made.files,
        "size_bytes": made.size_bytes,
        "root_digest": str(made.root),
        "sums_digest": str(made.sums),
        "hub_key": made.hub_key or None,
        "signed_by": made.signed_by.fingerprint if made.signed_by else None,
        "warnings": list(made.warnings),
    }


def _lines(made: Kit) -> list[str]:
    releases, absent = (", ".join(f"{name} {version}" for name, version in named) for named in (made.selection.releases, made.selection.left_out))
    target = f"Python {' or '.join(made.wheels.pythons)} on {' or '.join(made.wheels.machines) or 'any machine'}"
    key = [f"  public key  sha256:{made.signed_by.fingerprint} (send the file to the site, for --key)"] if made.signed_by else []
    return [
        f"Kit: {made.directory} ({made.files} files, {made.size_bytes / 1e6:.1f} MB)",
        f"Models: {releases}",
        *([f"Left out: {absent} (the agent says so, and doesn't try to install it)"] if absent else []),
        f"Agent: {made.wheels.runtime_version} for {target}",
        "Send these digests to the site by another way than the medium:",
        f"  root.json   {made.root}",
        f"  SHA256SUMS  {made.sums}",
        *key,
        *([f"Receipts of the hub with the key {made.hub_key} will be taken."] if made.hub_key else []),
        f"At the site: sh install.sh --prefix /opt/sealift{' --key vendor.pub' if made.signed_by else ''}",
    ]
