"""The shell around `decision`: enrols a device or takes one report, each in one transaction."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import logging
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from sealift_core.bundle.digest import Digest
from sealift_core.clock import Clock, format_time
from sealift_core.messages.receipt import Receipt
from sealift_core.messages.report import Report, model_failures, open_report
from sealift_core.signing.keys import PublicKey
from sealift_hub.errors import EnrolmentError, HubError, UnknownDeviceError
from sealift_hub.fleet.queries import count_devices, event_of
from sealift_hub.ingest import projection, resumption
from sealift_hub.ingest.clocks import ReportTimes, clock_offset
from sealift_hub.ingest.day import EMPTY, Day, WindowTotals, add
from sealift_hub.ingest.decision import ChainVerdict, Head, decide, fork_error, gap_error, resumes
from sealift_hub.limits import DEFAULT_LIMITS, Limits
from sealift_hub.storage.database import Database
from sealift_hub.storage.models import DeviceModel, StoredDevice, StoredEvent, StoredReport, StoredWindow

_log = logging.getLogger("sealift.hub")


class Source(enum.StrEnum):
    """How a report came."""

    HTTP = "http"
    MEDIUM = "medium"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The hub's answer, and whether there was anything new in what it answers."""

    receipt: Receipt
    new: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A report whose signature holds: its bytes, their digest, when it came, and how."""

    report: Report
    data: bytes
    digest: Digest
    now: datetime.datetime
    source: Source


class Intake:
    """Takes what devices send; idempotent, and safe to use from several threads and processes at once."""

    def __init__(self, database: Database, clock: Clock, limits: Limits = DEFAULT_LIMITS) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits

    def enrol(self, device_id: str, pem: bytes) -> Taken:
        """Remember a device's public key; the id must be its fingerprint.

        Raises `KeyFileError` for something that is no key, and `EnrolmentError`.
        """
        key = PublicKey.from_pem(pem, where=f"public key of device {device_id[:12]}")
        if key.fingerprint != device_id:
            advice = "A device's id is the SHA-256 of its public key in PEM form."
            raise EnrolmentError(
                "the key doesn't belong to this device id", where="public key", expected=device_id, found=key.fingerprint, advice=advice
            )
        with self._database.writing() as session:
            device = session.get(StoredDevice, device_id)
            if device is not None:
                return _taken(device, new=False)
            self._refuse_when_full(session)
            device = StoredDevice(id=device_id, public_key=key.pem().decode(), enrolled=self._clock.now(), number=0, host={}, crashes=[])
            session.add(device)
        _log.info("device %s enrolled", device_id)
        return _taken(device, new=True)

    def _refuse_when_full(self, session: Session) -> None:
        if count_devices(session) >= self._limits.devices:
            advice = "If all of these are yours, raise enrolment.devices in the hub's hub.toml. To make room, use sealift-hub remove."
            raise EnrolmentError(f"this hub accepts at most {self._limits.devices} devices", advice=advice)

    def receive(self, device_id: str, data: bytes, *, source: Source) -> Taken:
        """Take one sealed report: keep it if it is the next of its device's chain.

        Raises `UnknownDeviceError`; `SignatureError`, `DocumentError`, `LimitError` or `ReportError` for one that isn't
        the device's; `GapError` or `ForkError` for one that doesn't join the chain. Then nothing has changed, but that
        the device's page tells of it. After `resume` it may take the chain up again.
        """
        where = f"report of device {device_id[:12]}"
        report = open_report(data, self._key(device_id), where=where)
        with self._database.writing() as session:
            device = session.get_one(StoredDevice, device_id, with_for_update=True)
            arrival = Arrival(report=report, data=data, digest=Digest.of(data), now=self._clock.now(), source=source)
            new, refusal = _judge(session, device, arrival, self._limits, where)
        if refusal is not None:
            raise refusal
        return _taken(device, new=new)

    def resume(self, device_id: str) -> None:
        """Let a device's next report that doesn't continue its chain take the chain up again, once. `UnknownDeviceError`."""
        with self._database.writing() as session:
            _device(session, device_id).resume_asked = self._clock.now()
        _log.info("device %s is to be taken up again where it stands", device_id)

    def acknowledged(self, device_id: str) -> Receipt:
        """What the hub has of a device."""
        with self._database.reading() as session:
            return _taken(_device(session, device_id), new=False).receipt

    def _key(self, device_id: str) -> PublicKey:
        with self._database.reading() as session:
            return PublicKey.from_pem(_device(session, device_id).public_key.encode())


def _device(session: Session, device_id: str) -> StoredDevice:
    device = session.get(StoredDevice, device_id)
    if device is None:
        raise UnknownDeviceError("no such device", where=device_id, advice=f"Enrol it: PUT its public key to /api/v1/devices/{device_id}.")
    return device


def _taken(device: StoredDevice, *, new: bool) -> Taken:
    return Taken(receipt=Receipt(device=device.id, acknowledged=device.number), new=new)


def _judge(session: Session, device: StoredDevice, arrival: Arrival, limits: Limits, where: str) -> tuple[bool, HubError | None]:
    """Keep a report, or note why it is refused; whether it is new, and the refusal."""
    report = arrival.report
    head = Head(number=device.number, digest=Digest.parse(device.digest) if device.digest else None)
    recorded = session.get(StoredReport, (device.id, report.number))
    verdict = decide(head, report, arrival.digest, Digest.parse(recorded.digest) if recorded else None)
    if device.resume_asked and resumes(verdict, head, report, offered=device.offered, sent=arrival.source is Source.HTTP):
        resumption.take_up(session, device, head, report, keep=verdict is ChainVerdict.DUPLICATE, now=arrival.now)
        if verdict is ChainVerdict.DUPLICATE:
            return False, None
        verdict = ChainVerdict.ACCEPT
    if verdict is ChainVerdict.ACCEPT:
        if device.resume_asked:  # it continues after all
            device.resume_asked = device.conflict = device.conflict_seen = None
        _record(session, device, arrival, limits)
        return True, None
    if verdict is ChainVerdict.GAP:
        device.offered, device.offered_seen = min(report.number, device.offered or report.number), arrival.now
        return False, gap_error(head, report, where=where)
    if verdict is ChainVerdict.FORK:
        refusal = fork_error(head, report, where=where)
        device.conflict, device.conflict_seen = refusal.message, arrival.now
        return False, refusal
    return False, None


def _record(session: Session, device: StoredDevice, arrival: Arrival, limits: Limits) -> None:
    report, now, source = arrival.report, arrival.now, arrival.source
    device.clock_offset_s = _clock_offset(session, device, report, now, source)
    device.number, device.digest, device.host = report.number, str(arrival.digest), dict(report.host)
    device.offered = device.offered_seen = None
    seen = now if source is Source.HTTP else min(report.created, now)
    device.last_seen = max(device.last_seen or seen, seen)
    session.add(
        StoredReport(
            device_id=device.id,
            number=report.number,
            digest=str(arrival.digest),
            created=report.created,
            received=now,
            source=source.value,
            size_bytes=len(arrival.data),
            envelope=arrival.data,
        )
    )
    counted = resumption.was_counted(session, device.id, report.number, str(arrival.digest))
    device.crashes = device.crashes if counted else projection.crash_times(report, device.crashes, now)
    windows = [] if counted else projection.window_rows(report, now)
    session.add_all(windows)
    session.add_all(_fresh_events(session, report, limits.compared_events))
    session.flush()
    _update_models(session, report, windows, limits.day_windows)
    _log.info("accepted report %d of device %s, created %s", report.number, device.id, format_time(report.created))


def _clock_offset(session: Session, device: StoredDevice, report: Report, now: datetime.datetime, source: Source) -> int | None:
    """How many seconds the device's clock is ahead, by this report and the one before it; None if it seems right."""
    head = session.get(StoredReport, (device.id, device.number))
    before = ReportTimes(created=head.created, received=head.received, sent=head.source == Source.HTTP) if head else None
    known = None if device.clock_offset_s is None else datetime.timedelta(seconds=device.clock_offset_s)
    offset = clock_offset(ReportTimes(created=report.created, received=now, sent=source is Source.HTTP), before, known)
    return None if offset is None else int(offset.total_seconds())


def _fresh_events(session: Session, report: Report, compared: int) -> list[StoredEvent]:
    if not report.events:
        return []
    numbers = [event.number for event in report.events]
    earlier = select(StoredEvent).where(StoredEvent.device_id == report.device, StoredEvent.number.between(min(numbers), max(numbers)))
    earlier = earlier.order_by(StoredEvent.number.desc(), StoredEvent.id.desc()).limit(compared)
    return projection.event_rows(report, map(event_of, session.scalars(earlier)))


def _update_models(session: Session, report: Report, windows: Sequence[StoredWindow], most: int) -> None:
    """Bring the device's models to what the report says: those that it doesn't name go, and each day gets the windows that are new."""
    stored = {model.name: model for model in session.scalars(select(DeviceModel).where(DeviceModel.device_id == report.device))}
    named = {model.name: model for model in report.models}
    for name in stored.keys() - named.keys():
        session.delete(stored[name])
    by_model: dict[str, list[StoredWindow]] = {}
    for window in windows:
        by_model.setdefault(window.model, []).append(window)
    for name, model in named.items():
        fresh = by_model.get(name, [])
        if name not in stored:
            stored[name] = projection.new_model(report.device, name)
            session.add(stored[name])
        day = _day(session, stored[name], fresh, most) if fresh else None
        verdict = projection.newest_verdict(fresh, stored[name].judged_until, day.until) if day else None
        projection.fill_model(stored[name], model, day, verdict)


def _day(session: Session, stored: DeviceModel, fresh: Sequence[StoredWindow], most: int) -> Day:
    """A model's day with the windows that are new. The days that an earlier hub stored have no hours, and are summed from their windows, once."""
    day = projection.stored_day(stored)
    if day is None:
        w = StoredWindow
        earlier = select(w).where(w.device_id == stored.device_id, w.model == stored.name, w.id < min(window.id for window in fresh))
        newest_first = session.scalars(earlier.order_by(w.id.desc()).limit(most)).all()
        day = add(EMPTY, map(_totals, newest_first))
    return add(day, map(_totals, fresh))


def _totals(window: StoredWindow) -> WindowTotals:
    failures = model_failures(window.failures)
    return WindowTotals(end=window.end, requests=window.requests, failures=failures, latency_counts=window.latency_counts)
