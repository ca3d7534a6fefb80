"""Reports over a medium that somebody carries: ``DIR/sealift-reports/<device id>/``.

::

    device.pub            the device's public key
    0000000001.json …     sealed reports, named by number
    receipt.json          what the hub wrote when it read them

Names are plain, so FAT holds them. Files appear whole or not at all; a medium that was pulled out is written again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from sealift_runtime import beneath, durable
from sealift_runtime.errors import IntegrityError, LimitError, TransportError
from sealift_runtime.exchange.receipt import MAX_BYTES, Receipt
from sealift_runtime.reports.spool import ReportSpool

FOLDER: Final = "sealift-reports"
DEVICE_KEY: Final = "device.pub"
RECEIPT: Final = "receipt.json"
_REPORT: Final = re.compile(r"[0-9]{1,19}\.json")


def device_folder(directory: Path, device: str) -> Path:
    """Where a device's reports are on a medium."""
    return directory / FOLDER / device


def report_file(number: int) -> str:
    """The file name of a report."""
    return f"{number:010d}.json"


def export_reports(spool: ReportSpool, directory: Path) -> int:
    """Write every report without a receipt to a medium; how many there are. Those that the hub has are removed from it.

    No link on the medium is followed. Raises `TransportError` if there is no such directory (a medium that isn't mounted), `IntegrityError`
    if a link stands where the folder should, `StoreError` or `DiskFullError`.
    """
    if not directory.is_dir():
        raise TransportError("no such directory", where=str(directory), advice="Is the medium mounted?")
    path = device_folder(directory, spool.device)
    with durable.translate_disk_errors(path), beneath.open_folder(directory, FOLDER, spool.device, create=True) as folder:
        durable.write_bytes(path / DEVICE_KEY, spool.public_key.pem(), folder=folder)
        _clear(folder, spool.chain.acknowledged)
        exported, at = 0, 0
        while (row := spool.next_pending(at)) is not None:
            at, envelope = row
            if not _holds(folder, report_file(at), envelope):
                durable.write_bytes(path / report_file(at), envelope, folder=folder)
            exported += 1
        return exported


def _clear(folder: int, acknowledged: int) -> None:
    for name in filter(_REPORT.fullmatch, beneath.names_in(folder)):
        if int(name.partition(".")[0]) <= acknowledged:
            os.unlink(name, dir_fd=folder)


def import_receipt(spool: ReportSpool, directory: Path) -> Receipt | None:
    """Read what the hub wrote to a medium and let go what it has; None if it hasn't written anything for this device yet.

    Raises `ReportError` for a receipt that can't be, `DocumentError` for a damaged one, `IntegrityError` for a link or a pipe, `LimitError`.
    """
    path = device_folder(directory, spool.device) / RECEIPT
    try:
        with beneath.open_file(directory, FOLDER, spool.device, RECEIPT) as file:
            data = beneath.read_open(file, MAX_BYTES, where=str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TransportError(f"the receipt can't be read ({error.strerror})", where=str(path)) from error
    receipt = Receipt.parse(data, where=str(path))
    spool.acknowledge(receipt)
    return receipt


def _holds(folder: int, name: str, data: bytes) -> bool:
    """Whether a file is there with this content, so it needn't be written again."""
    try:
        with beneath.open_in(folder, name, where=name) as file:
            return beneath.read_exactly(file, len(data), where=name) == data
    except (FileNotFoundError, IntegrityError, LimitError):
        return False
