"""``sealift-hub resume``: take devices up again whose reports don't continue what the hub has."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.clock import SystemClock
from sealift_core.terminal import commandline
from sealift_hub.cli.data import data_line, data_option


@click.command(short_help="Take up devices again whose reports have a gap or a conflict.")
@click.argument("devices", nargs=-1, metavar="[DEVICE]...")
@click.option("--all", "every", is_flag=True, help="Take up every device that has a gap or a conflict now.")
@data_option
@commandline.json_option
def resume(devices: tuple[str, ...], data: Path, *, every: bool, as_json: bool) -> None:
    """Take up each DEVICE's reports again where the device stands, after the hub's database was lost, or the device's disk restored.

    DEVICE is an id, or as much of its beginning as `sealift-hub devices` prints. Its next report that doesn't continue what the hub has is taken all
    the same, once. What is missing is recorded and shown on the device's page, and a conflict is cleared; what the hub had is kept. The device
    keeps its key.
    """
    from sealift_hub.fleet import queries
    from sealift_hub.ingest.intake import Intake
    from sealift_hub.storage.data_directory import opened

    if bool(devices) == every:
        raise click.UsageError("Name the devices, or pass --all.")
    with opened(data) as database:
        with database.reading() as session:
            ids = queries.interrupted_devices(session) if every else [queries.get_device(session, device).id for device in devices]
        intake = Intake(database, SystemClock())
        for device in ids:
            intake.resume(device)
    lines = [f"Device {device[:12]} is taken up again at its next report." for device in ids] or ["No device has a gap or a conflict."]
    commandline.show({"data": str(data.absolute()), "devices": list(ids)}, [data_line(data), *lines], as_json=as_json)
