"""``sealift-agent import`` and ``export``: what a network would do, by a medium that somebody carries."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sealift_core.errors import ConfigurationError, IntegrityError, SealiftError
from sealift_core.messages.medium import REPOSITORY
from sealift_core.messages.receipt import Receipt
from sealift_core.terminal.commandline import exit_code, json_option, say_error, show
from sealift_runtime.agent.admin_client import DataPlaneClient
from sealift_runtime.agent.device import LocalDevice, opened
from sealift_runtime.agent.home import Home
from sealift_runtime.agent.hub_trouble import REFUSALS, note_taken, note_trouble
from sealift_runtime.agent.private_home import MEDIUM_UMASK, umask
from sealift_runtime.agent.reporting import seal
from sealift_runtime.cli.options import home_option
from sealift_runtime.cli.sync import synchronise
from sealift_runtime.reports.medium import export_reports, import_receipt

medium = click.argument("directory", type=click.Path(path_type=Path, file_okay=False))


@click.command("import")
@medium
@home_option
@json_option
def import_command(directory: Path, home: Path | None, as_json: bool) -> None:
    """Install from the repository on the medium DIRECTORY, and read the hub's receipts on it.

    The medium may hold a repository, receipts, or both. A receipt that the hub's key didn't sign is refused, and no report is dropped; the models are
    installed all the same, and the command then exits with code 4.
    """
    repository = _repository(directory)
    with opened(Home.locate(home)) as device:
        receipt, refusal = _receipt(device, directory)
        if (repository / "metadata").is_dir():
            _install(device, repository, refusal, as_json=as_json)
        elif refusal is not None:
            raise refusal
        elif receipt is not None:
            show({"acknowledged": receipt.acknowledged}, f"The hub has every report up to number {receipt.acknowledged}.", as_json=as_json)
        else:
            raise ConfigurationError(
                "the medium holds neither a repository nor a receipt for this device",
                where=str(directory),
                expected="a repository as sealift kit build writes it, or a receipt as sealift-hub import writes it",
                advice="Check that the medium is mounted.",
            )


def _receipt(device: LocalDevice, directory: Path) -> tuple[Receipt | None, SealiftError | None]:
    """The receipt on a medium, or why it is refused."""
    try:
        receipt = import_receipt(device.spool, directory, device.hub_key)
    except REFUSALS as error:
        note_trouble(device.state, error, device.clock.now())
        return None, error
    if receipt is not None:
        note_taken(device.state)
    return receipt, None


def _install(device: LocalDevice, repository: Path, refusal: SealiftError | None, *, as_json: bool) -> None:
    """Install from a medium's repository, whatever came of the receipt beside it."""
    if refusal is not None:
        say_error(refusal)
    synchronise(device, str(repository.absolute()), as_json=as_json)
    if refusal is not None:
        sys.exit(exit_code(refusal))


def _repository(directory: Path) -> Path:
    """Where a medium has its repository; `IntegrityError` if a link says that it is off the medium."""
    inner = directory / REPOSITORY
    if inner.is_symlink() and not inner.resolve().is_relative_to(directory.resolve()):
        advice = f"To install from the folder that it points to, run sealift-agent import {inner.readlink()}"
        raise IntegrityError("a symbolic link points outside the medium", where=str(inner), found=str(inner.readlink()), advice=advice)
    return inner if inner.is_dir() else directory


@click.command("export")
@medium
@home_option
@json_option
def export_command(directory: Path, home: Path | None, as_json: bool) -> None:
    """Write this device's signed reports to the medium DIRECTORY. sealift-hub import reads them there."""
    if not directory.is_dir():
        raise ConfigurationError("no such directory", where=str(directory), advice="Check that the medium is mounted.")
    with opened(Home.locate(home)) as device:
        seal(device, DataPlaneClient(device.home.socket))
        with umask(MEDIUM_UMASK):
            count = export_reports(device.spool, directory)
        fingerprint = device.key.public_key.fingerprint
        own_disk = directory.stat().st_dev == device.home.directory.stat().st_dev
    fields = {"device": fingerprint, "reports": count, "directory": str(directory), "own_disk": own_disk}
    note = [f"{directory} is on this device's own disk. If it should be a medium, mount the medium there and export again."] if own_disk else []
    show(fields, [f"{count} reports are on {directory}.", *note], as_json=as_json)
