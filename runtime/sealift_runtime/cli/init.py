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
@click.option("--repo", required=True, metavar="URL-or-DIR", help="The repository: http(s)://… or a directory.")
@click.option(
    "--root", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The root of trust: metadata/root.json of the repository."
)
@click.option("--channel", default="stable", show_default=True, help="The channel to follow.")
@click.option("--hub", default="", metavar="URL", help="Where to send reports; without it they are carried by export.")
@click.option("--ca-file", default="", help="A file of CA certificates for https, instead of the usual ones.")
@click.option("--set", "settings", multiple=True, metavar="SECTION.NAME=VALUE", help="Any other field of agent.toml, like timing.poll_s=30.")
@home_option
@json_option
def init(repo: str, root: Path, channel: str, hub: str, ca_file: str, settings: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Make this a device: a key, a root of trust, and where its models come from.

    Run again, it replaces the configuration and keeps the rest.
    """
    place = Home.locate(home)
    if "://" not in repo:
        repo = str(Path(repo).absolute())
    ca_file = str(Path(ca_file).absolute()) if ca_file else ""
    config = with_settings(AgentConfig(repository=repo, channel=channel, hub=hub.rstrip("/"), ca_file=ca_file), settings)
    key = initialise(place, config, read_root(root), SystemClock())
    fingerprint = key.public_key.fingerprint
    fields = {"home": str(place.directory), "device": fingerprint, "repository": repo, "channel": channel, "hub": hub}
    lines = [f"Device {fingerprint[:16]} is set up in {place.directory}.", f"It follows {channel} of {repo}. Next: sealift-agent sync"]
    show(fields, lines, as_json=as_json)
