"""Reports over a medium that somebody carries: ``DIR/sealift-reports/<device id>/``.

::

    device.pub            the device's public key
    0000000001.json …     sealed reports, named by number
    receipt.json          what the hub wrote when it read them

Names are plain, so FAT holds them. Files appear whole or not at all; a medium that was pulled out is written again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sealift_runtime import durable
from sealift_runtime.errors import TransportError
from sealift_runtime.exchange.receipt import MAX_BYTES, Receipt
from sealift_runtime.reports.spool import ReportSpool

FOLDER: Final = "sealift-reports"
DEVICE_KEY: Final = "device.pub"
RECEIPT: Final = "receipt.json"


def device_folder(directory: Path, device: str) -> Path:
    """Where a device's reports are on a medium."""
    return directory / FOLDER / device


def report_file(number: int) -> str:
    """The file name of a report."""
    return f"{number:010d}.json"


def export_reports(spool: ReportSpool, directory: Path) -> int:
    """Write every report without a receipt to a medium; how many there are. Those that the hub has are removed from it.

    Raises `TransportError` if there is no such directory (a medium that isn't mounted), `StoreError` or `DiskFullError`.
    """
    if not directory.is_dir():
        raise TransportError("no such directory", where=str(directory), advice="Is the medium mounted?")
    folder = device_folder(directory, spool.device)
    durable.write_bytes(folder / DEVICE_KEY, spool.public_key.pem())
    acknowledged = spool.chain.acknowledged
    for path in folder.glob("[0-9]*.json"):
        if path.stem.isdecimal() and int(path.stem) <= acknowledged:
            with durable.translate_disk_errors(path):
                path.unlink()
    exported, at = 0, 0
    while (row := spool.next_pending(at)) is not None:
        at, envelope = row
        target = folder / report_file(at)
        if not _holds(target, envelope):
            durable.write_bytes(target, envelope)
        exported += 1
    return exported


def import_receipt(spool: ReportSpool, directory: Path) -> Receipt | None:
    """Read what the hub wrote to a medium and let go what it has; None if it hasn't written anything for this device yet.

    Raises `ReportError` for a receipt that can't be, `DocumentError` for a damaged one.
    """
    path = device_folder(directory, spool.device) / RECEIPT
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TransportError(f"the receipt can't be read ({error.strerror})", where=str(path)) from error
    receipt = Receipt.parse(data, where=str(path))
    spool.acknowledge(receipt)
    return receipt


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file is there with this content, so it needn't be written again."""
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
