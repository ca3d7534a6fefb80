"""Takes a device's chain up again where the device stands, as an operator asked: with a gap that is recorded and shown, and under the same key.

What the hub had from there on is kept apart, byte for byte. Its windows stay counted, and none of them is counted again where the device sends the
very same report once more.
"""

from __future__ import annotations

import datetime
import logging

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from sealift_core.messages.report import Report
from sealift_hub.ingest.decision import Head, resumption
from sealift_hub.storage.models import Interruption, StoredDevice, StoredReport, SupersededReport

_log = logging.getLogger("sealift.hub")
_COLUMNS = ("device_id", "number", "digest", "created", "received", "source", "size_bytes", "envelope")


def take_up(session: Session, device: StoredDevice, head: Head, report: Report, *, keep: bool, now: datetime.datetime) -> None:
    """Set a device's chain to where ``report`` continues it, or with ``keep`` to the report itself, which the hub has."""
    first = report.number + keep
    reason = resumption(head, first)
    of_device = (StoredReport.device_id == device.id, StoredReport.number >= first)
    columns = [getattr(StoredReport, name) for name in _COLUMNS]
    session.execute(insert(SupersededReport).from_select(_COLUMNS, select(*columns).where(*of_device)))
    session.execute(delete(StoredReport).where(*of_device))
    session.add(Interruption(device_id=device.id, number=first, reason=reason, asked=device.resume_asked or now, time=now))
    before = session.get(StoredReport, (device.id, first - 1))
    device.number, device.digest = first - 1, before.digest if before else None
    device.resume_asked = device.offered = device.offered_seen = device.conflict = device.conflict_seen = None
    _log.warning("device %s: %s", device.id, reason)


def was_counted(session: Session, device_id: str, number: int, digest: str) -> bool:
    """Whether the very same report was here before its device's chain was taken up again."""
    s = SupersededReport
    same = select(s.id).where(s.device_id == device_id, s.number == number, s.digest == digest)
    return session.scalar(same.limit(1)) is not None
