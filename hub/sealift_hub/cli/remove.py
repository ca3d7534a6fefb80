"""``sealift-hub remove``: devices that are gone."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_core.terminal import commandline
from sealift_hub.cli.data import data_line, data_option


@click.command(short_help="Remove devices and all that they reported.")
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@click.option("--yes", is_flag=True, help="Remove them; without it, the command only says what it would remove.")
@data_option
@commandline.json_option
def remove(devices: tuple[str, ...], data: Path, *, yes: bool, as_json: bool) -> None:
    """Remove each DEVICE and everything that it reported, for good, and make room for another one.

    DEVICE is an id, or as much of its beginning as `sealift-hub devices` prints. A device that still reports enrols again at its next report: stop
    its agent first, or let it report to another hub.
    """
    from sealift_hub.fleet import queries
    from sealift_hub.storage.data_directory import opened
    from sealift_hub.storage.upkeep import remove_device

    with opened(data) as database:
        with database.reading() as session:
            views = [queries.get_device(session, device) for device in devices]
        if not yes:
            names = ", ".join(f"{view.short_id} {view.name}" for view in views)
            raise click.UsageError(f"This removes {names} and everything that they reported from {data.absolute()}, for good. Pass --yes to do it.")
        for view in views:
            remove_device(database, view.id)
    fields = {"data": str(data.absolute()), "removed": [view.id for view in views]}
    commandline.show(fields, [data_line(data), *(f"Removed {view.short_id} {view.name}." for view in views)], as_json=as_json)
