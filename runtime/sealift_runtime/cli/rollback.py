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
@click.option("--reason", default="requested on the command line", show_default=True, help="Reason to record in the ledger.")
@home_option
@json_option
def rollback(name: str, reason: str, home: Path | None, as_json: bool) -> None:
    """Go back to the previous version of model NAME. A running agent switches to it at once.

    A version that you rolled back stays refused on this device until the channel names another one. Use sealift-agent sync --retry NAME to try it
    again.
    """
    place = Home.locate(home)
    with opened(place) as device:
        updater = updater_of(device, DataPlaneClient(place.socket))
        when_free(functools.partial(updater.rollback, name, reason))
        deployment = device.state.deployment(name)
        version = deployment.current.version if deployment and deployment.current else ""
    show({"name": name, "version": version, "reason": reason}, f"{name} is back at {version}.", as_json=as_json)
