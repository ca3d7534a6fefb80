"""``sealift-agent init``: make this a device."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.clock import SystemClock
from sealift_core.terminal.commandline import json_option, show
from sealift_runtime.agent.config import AgentConfig
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.initialise import initialise, read_root, with_settings
from sealift_runtime.cli.options import home_option


@click.command()
@click.option("--repo", required=True, metavar="URL-or-DIR", help="Repository to install from: an http(s):// URL or a directory.")
@click.option(
    "--root",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Root of trust: the repository's metadata/root.json, obtained in a way that you trust.",
)
@click.option("--channel", default="stable", show_default=True, help="Channel to follow.")
@click.option("--hub", default="", metavar="URL", help="Hub to send reports to. Without a hub, use sealift-agent export.")
@click.option("--ca-file", default="", help="File with the CA certificates (PEM) to trust for https instead of the default ones.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.NAME=VALUE",
    help="Set another field of agent.toml, such as timing.poll_s=30. May be repeated.",
)
@home_option
@json_option
def init(repo: str, root: Path, channel: str, hub: str, ca_file: str, settings: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Set up this device: create its key, store its root of trust, and configure its repository.

    If this device is already set up, the command replaces its configuration and keeps everything else.
    """
    place = Home.locate(home)
    if "://" not in repo:
        repo = str(Path(repo).absolute())
    ca_file = str(Path(ca_file).absolute()) if ca_file else ""
    config = with_settings(AgentConfig(repository=repo, channel=channel, hub=hub.rstrip("/"), ca_file=ca_file), settings)
    key = initialise(place, config, read_root(root), SystemClock())
    fingerprint = key.public_key.fingerprint
    fields = {"home": str(place.directory), "device": fingerprint, "repository": repo, "channel": channel, "hub": hub}
    lines = [f"Device {fingerprint[:16]} is set up in {place.directory}.", f"It follows {channel} of {repo}. Next, run: sealift-agent sync"]
    show(fields, lines, as_json=as_json)
