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
from sealift_runtime.reports.hub_key import HubKey
from sealift_runtime.reports.spool import ReportSpool


def export_reports(spool: ReportSpool, directory: Path) -> int:
    """Write every report that is in the spool to a medium; how many of them have no receipt. Those that were let go are removed from it.

    Reports whose receipt isn't confirmed yet go along: a hub that was set back to an older copy of its database misses none of them.
    No link on the medium is followed. Raises `TransportError` if there is no such directory (a medium that isn't mounted), `IntegrityError`
    if a link stands where the folder should, `StoreError` or `DiskFullError`.
    """
    if not directory.is_dir():
        raise TransportError("no such directory", where=str(directory), advice="Check that the medium is mounted.")
    path = device_folder(directory, spool.device)
    with durable.translate_disk_errors(path), beneath.open_folder(directory, REPORTS, spool.device, create=True) as folder:
        durable.write_bytes(path / DEVICE_KEY, spool.public_key.pem(), folder=folder)
        acknowledged = spool.chain.acknowledged
        oldest = spool.next_report(0)
        _clear(folder, acknowledged if oldest is None else oldest[0] - 1)
        exported, at = 0, 0
        while (report := spool.next_report(at)) is not None:
            at, envelope = report
            if not _holds(folder, report_file(at), envelope):
                durable.write_bytes(path / report_file(at), envelope, folder=folder)
            exported += at > acknowledged
        return exported


def _clear(folder: int, last: int) -> None:
    for name in filter(REPORT_FILE.fullmatch, beneath.names_in(folder)):
        if int(name.partition(".")[0]) <= last:
            os.unlink(name, dir_fd=folder)


def import_receipt(spool: ReportSpool, directory: Path, key: HubKey) -> Receipt | None:
    """Read what the hub wrote to a medium and let go what it confirms; None if it hasn't written anything for this device yet.

    Raises `SignatureError` for a receipt that the hub's ``key`` didn't sign, `ReportError` for one that can't be, `DocumentError` for a damaged
    one, `IntegrityError` for a link or a pipe, `LimitError`.
    """
    path = device_folder(directory, spool.device) / RECEIPT
    try:
        with beneath.open_file(directory, REPORTS, spool.device, RECEIPT) as file:
            data = beneath.read_open(file, MAX_BYTES, where=str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TransportError(f"the receipt can't be read ({error.strerror})", where=str(path)) from error
    receipt = key.open_carried(data, where=str(path))
    spool.acknowledge(receipt)
    return receipt


def _holds(folder: int, name: str, data: bytes) -> bool:
    """Whether a file is there with this content, so it needn't be written again."""
    try:
        with beneath.open_in(folder, name, where=name) as file:
            return beneath.read_exactly(file, len(data), where=name) == data
    except (FileNotFoundError, IntegrityError, LimitError):
        return False
