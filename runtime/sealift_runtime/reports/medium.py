"""Reports over a medium that somebody carries (`sealift_core.messages.medium` says where on it).

Files appear whole or not at all; a medium that was pulled out is written again.
"""

from __future__ import annotations

import os
from pathlib import Path

from sealift_core import beneath, durable
from sealift_core.errors import IntegrityError, LimitError, TransportError
from sealift_core.messages.medium import DEVICE_KEY, RECEIPT, REPORT_FILE, REPORTS, device_folder, report_file
from sealift_core.messages.receipt import MAX_BYTES, Receipt
from sealift_runtime.reports.spool import ReportSpool


def export_reports(spool: ReportSpool, directory: Path) -> int:
    """Write every report without a receipt to a medium; how many there are. Those that the hub has are removed from it.

    No link on the medium is followed. Raises `TransportError` if there is no such directory (a medium that isn't mounted), `IntegrityError`
    if a link stands where the folder should, `StoreError` or `DiskFullError`.
    """
    if not directory.is_dir():
        raise TransportError("no such directory", where=str(directory), advice="Check that the medium is mounted.")
    path = device_folder(directory, spool.device)
    with durable.translate_disk_errors(path), beneath.open_folder(directory, REPORTS, spool.device, create=True) as folder:
        durable.write_bytes(path / DEVICE_KEY, spool.public_key.pem(), folder=folder)
        _clear(folder, spool.chain.acknowledged)
        exported, at = 0, 0
        while (pending := spool.next_pending(at)) is not None:
            at, envelope = pending
            if not _holds(folder, report_file(at), envelope):
                durable.write_bytes(path / report_file(at), envelope, folder=folder)
            exported += 1
        return exported


def _clear(folder: int, acknowledged: int) -> None:
    for name in filter(REPORT_FILE.fullmatch, beneath.names_in(folder)):
        if int(name.partition(".")[0]) <= acknowledged:
            os.unlink(name, dir_fd=folder)


def import_receipt(spool: ReportSpool, directory: Path) -> Receipt | None:
    """Read what the hub wrote to a medium and let go what it has; None if it hasn't written anything for this device yet.

    Raises `ReportError` for a receipt that can't be, `DocumentError` for a damaged one, `IntegrityError` for a link or a pipe, `LimitError`.
    """
    path = device_folder(directory, spool.device) / RECEIPT
    try:
        with beneath.open_file(directory, REPORTS, spool.device, RECEIPT) as file:
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
