"""``sealift-hub import``: what came back from an air-gapped site."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_core.clock import SystemClock
from sealift_core.terminal import commandline
from sealift_hub.cli.data import data_line, data_option
from sealift_hub.errors import RefusedReportError

if TYPE_CHECKING:
    from sealift_hub.ingest.medium import DeviceImport


@click.command("import", short_help="Import the device reports on a medium, and write receipts.")
@click.argument("medium", type=click.Path(exists=True, file_okay=False, path_type=Path))
@data_option
@commandline.json_option
def import_command(medium: Path, data: Path, *, as_json: bool) -> None:
    """Import the device reports on MEDIUM, and write receipts for the devices to it.

    The hub verifies every report. Reports that it already has change nothing, so you can import a medium twice. If a report
    is refused, the hub still imports all others, and the command exits with code 4.
    """
    from sealift_hub.configuration import HubConfig
    from sealift_hub.ingest.intake import Intake
    from sealift_hub.ingest.medium import import_medium
    from sealift_hub.storage.data_directory import hub_key, opened

    with opened(data) as database:
        limits = HubConfig.load(data).limits
        devices = import_medium(Intake(database, SystemClock(), limits), medium, hub_key(data, database), limits)
    value = [dataclasses.asdict(device) for device in devices]
    commandline.show({"data": str(data.absolute()), "devices": value}, [data_line(data), *_lines(devices)], as_json=as_json)
    refused = sum(len(device.refused) for device in devices)
    if refused:
        files = "1 file was" if refused == 1 else f"{refused} files were"
        raise RefusedReportError(f"{files} refused", where=str(medium), advice="The reasons are listed above. All other reports were imported.")


def _lines(devices: Sequence[DeviceImport]) -> list[str]:
    if not devices:
        return ["The medium holds no device reports."]
    lines = [line for device in devices for line in _of(device)]
    unchanged = not any(device.new or device.enrolled or device.refused for device in devices)
    return [*lines, "The hub already has everything on this medium; nothing changed."] if unchanged else lines


def _of(device: DeviceImport) -> list[str]:
    head = f"device {device.device[:12]}: {device.new} new, {device.known} known, {len(device.refused)} refused"
    first = f"{head}{'; enrolled' if device.enrolled else ''}"
    if device.acknowledged is not None:
        first += f"; complete up to report {device.acknowledged}"
    problem = [f"  the receipt couldn't be written: {device.receipt_problem}"] if device.receipt_problem else []
    return [first, *(f"  refused {refusal.file}: {refusal.reason}" for refusal in device.refused), *problem]
