"""What is no longer to be kept: a device that is gone, and what is older than an operator wants."""

from __future__ import annotations

import datetime
import re
from typing import Final

from sqlalchemy import delete, func, select, update

from sealift_hub.errors import DeviceNameError
from sealift_hub.storage.database import Database
from sealift_hub.storage.models import DeviceModel, Interruption, StoredDevice, StoredEvent, StoredReport, StoredWindow, SupersededReport

#: As `sealift-agent init --name` takes it.
DEVICE_NAME: Final = r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?"
_OF_DEVICE: Final = (StoredWindow, StoredEvent, DeviceModel, StoredReport, SupersededReport, Interruption)


def remove_device(database: Database, device_id: str) -> None:
    """Forget a device and all that it reported. If it still reports, it enrols anew."""
    with database.writing() as session:
        for table in _OF_DEVICE:
            session.execute(delete(table).where(table.device_id == device_id))
        session.execute(delete(StoredDevice).where(StoredDevice.id == device_id))


def name_device(database: Database, device_id: str, name: str) -> None:
    """Give a device a name, or with an empty one let it have its own again. `DeviceNameError`."""
    if name and not re.fullmatch(DEVICE_NAME, name):
        expected = "1 to 64 letters, digits, blanks, dots, dashes and underscores, beginning and ending with a letter or digit"
        raise DeviceNameError("not a name for a device", where=device_id[:12], expected=expected, found=repr(name[:100]))
    with database.writing() as session:
        session.execute(update(StoredDevice).where(StoredDevice.id == device_id).values(label=name))


def prune(database: Database, before: datetime.datetime) -> int:
    """Let go what came before a moment: windows, events, and the text of reports; how many reports.

    Numbers and digests of reports stay, so a report that comes again is still known, and the newest report of a device stays whole. Each device has a
    transaction of its own, so none is kept waiting for long.
    """
    with database.reading() as session:
        ids = list(session.scalars(select(StoredDevice.id)))
    return sum(_prune_device(database, device_id, before) for device_id in ids)


def _prune_device(database: Database, device_id: str, before: datetime.datetime) -> int:
    r = StoredReport
    with database.writing() as session:
        old = (r.device_id == device_id, r.received < before)
        head = session.scalar(select(StoredDevice.number).where(StoredDevice.id == device_id)) or 0
        last = session.scalar(select(func.max(r.number)).where(*old, r.number < head)) or 0
        for table in (StoredWindow, StoredEvent):
            session.execute(delete(table).where(table.device_id == device_id, table.report_number <= last))
        session.execute(delete(SupersededReport).where(SupersededReport.device_id == device_id, SupersededReport.received < before))
        whole = (r.device_id == device_id, r.number <= last, func.length(r.envelope) > 0)
        number = session.scalar(select(func.count()).select_from(r).where(*whole)) or 0
        if number:
            session.execute(update(r).where(*whole).values(envelope=b""))
    return number
