"""``sealift-agent init``: make this a device."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from sealift_core.clock import SystemClock
from sealift_core.errors import SealiftError
from sealift_core.terminal.commandline import json_option, show
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.config import AgentConfig
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.initialise import initialise, read_root, with_settings
from sealift_runtime.agent.private_home import check_owner
from sealift_runtime.cli.options import home_option

#: What a running agent reads only when it starts.
_AT_START = ("serving.host: ", "serving.port: ")


@click.command()
@click.option("--repo", metavar="URL-or-DIR", help="Repository to install from: an http(s):// URL or a directory. A new device needs it.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Root of trust: the repository's metadata/root.json, obtained in a way that you trust. A new device needs it.",
)
@click.option("--channel", help="Channel to follow. Default: stable.")
@click.option("--name", help="What people call this device, in the hub's lists too, such as press-7. Default: the machine's name.")
@click.option("--hub", metavar="URL", help="Hub to send reports to. Without a hub, use sealift-agent export.")
@click.option(
    "--hub-key",
    metavar="FINGERPRINT",
    help="Fingerprint of the hub's key, as sealift-hub init prints it: only receipts signed by it count. Default: the key of the first receipt.",
)
@click.option("--ca-file", help="File with the CA certificates (PEM) to trust for https instead of the default ones.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.NAME=VALUE",
    help="Set another field of agent.toml, such as timing.poll_s=30. May be repeated.",
)
@click.option("--force", is_flag=True, help="Change the configuration of a device that is already set up.")
@home_option
@json_option
def init(
    repo: str | None,
    root: Path | None,
    channel: str | None,
    name: str | None,
    hub: str | None,
    hub_key: str | None,
    ca_file: str | None,
    settings: tuple[str, ...],
    force: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Set up this device: create its key, store its root of trust, and configure its repository.

    If this device is already set up, options that you leave out keep their values. What would change is shown, old value and new, and is changed only
    with --force. A running agent takes the new configuration over.
    """
    place = Home.locate(home)
    check_owner(place.directory)
    before = _configuration(place)
    if repo is not None and "://" not in repo:
        repo = str(Path(repo).absolute())
    if before is None and (repo is None or root is None):
        raise click.UsageError(f"Missing option '{'--repo' if repo is None else '--root'}', which a new device needs.")
    given = {
        "repository": repo,
        "channel": channel,
        "name": name,
        "hub": None if hub is None else hub.rstrip("/"),
        "hub_key": hub_key,
        "ca_file": str(Path(ca_file).absolute()) if ca_file else ca_file,
    }
    changed: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    config = with_settings(dataclasses.replace(before or AgentConfig(repository="", channel="stable"), **changed), settings)
    first = not _is_set_up(place)
    key, changes = initialise(place, config, read_root(root or place.directory / "root.json"), SystemClock(), force=force)
    fingerprint = key.public_key.fingerprint
    fields = {
        "home": str(place.directory),
        "device": fingerprint,
        "repository": config.repository,
        "channel": config.channel,
        "hub": config.hub,
        "hub_key": config.hub_key,
    }
    lines = [f"Device {fingerprint[:16]} {'is' if first else 'was already'} set up in {place.directory}."]
    lines += [f"Changed: {change}" for change in changes] + _running(place, changes)
    lines.append(f"It follows {config.channel} of {config.repository}. Next, run: sealift-agent sync")
    show(fields | {"name": config.name, "changes": list(changes)}, lines, as_json=as_json)


def _configuration(home: Home) -> AgentConfig | None:
    """What a home's agent.toml says; None for a new home, and for a file that can't be used, of which nothing can be kept."""
    if not _is_set_up(home):
        return None
    try:
        return AgentConfig.load(home.config)
    except SealiftError:
        return None


def _is_set_up(home: Home) -> bool:
    """Whether there is a configuration; a home that can't be looked into is told by what makes it."""
    try:
        return home.config.is_file()
    except OSError:
        return False


def _running(home: Home, changes: tuple[str, ...]) -> list[str]:
    """What becomes of a running agent."""
    if not changes or not DataPlaneClient(home.socket).running():
        return []
    lines = ["The running agent goes by the new configuration from now on."]
    if any(change.startswith(_AT_START) for change in changes):
        lines.append("It listens where it did until you restart it: serving.host and serving.port are read when it starts.")
    return lines
