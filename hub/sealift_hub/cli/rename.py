"""``sealift-hub rename``: an operator's name for a device."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.terminal import commandline
from sealift_hub.cli.data import data_line, data_option


@click.command(short_help="Give a device a name on this hub.")
@click.argument("device")
@click.argument("name")
@data_option
@commandline.json_option
def rename(device: str, name: str, data: Path, *, as_json: bool) -> None:
    """Call DEVICE by NAME on this hub, whatever the device calls itself.

    DEVICE is an id, or as much of its beginning as `sealift-hub devices` prints. An empty NAME ("") lets the device have its own name again.
    """
    from sealift_hub.fleet import queries
    from sealift_hub.storage.data_directory import opened
    from sealift_hub.storage.upkeep import name_device

    with opened(data) as database:
        with database.reading() as session:
            device_id = queries.get_device(session, device).id
        name_device(database, device_id, name)
        with database.reading() as session:
            shown = queries.get_device(session, device_id).name
    fields = {"data": str(data.absolute()), "device": device_id, "name": shown}
    commandline.show(fields, [data_line(data), f"Device {device_id[:12]} is called {shown}."], as_json=as_json)
