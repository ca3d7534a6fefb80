"""``sealift-agent rollback``: back to the version before, now."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from sealift_core.terminal.commandline import json_option, show
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import opened
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.updating import updater_of, when_free
from sealift_runtime.cli.options import home_option


@click.command()
@click.argument("name")
@click.option("--reason", default="asked for on the command line", show_default=True, help="Why; it goes into the ledger.")
@home_option
@json_option
def rollback(name: str, reason: str, home: Path | None, as_json: bool) -> None:
    """Go back to the previous version of model NAME; a running agent swaps to it at once.

    The version that is left isn't installed again until the channel names another, or sync --retry NAME is run.
    """
    place = Home.locate(home)
    with opened(place) as device:
        updater = updater_of(device, DataPlaneClient(place.socket))
        when_free(functools.partial(updater.rollback, name, reason))
        deployment = device.state.deployment(name)
        version = deployment.current.version if deployment and deployment.current else ""
    show({"name": name, "version": version, "reason": reason}, f"{name} is back at {version}.", as_json=as_json)
