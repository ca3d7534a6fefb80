"""The questions about the fleet, each answered from one reading session."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from sealift_core.messages.histogram import quantile_ms
from sealift_core.messages.report import Event
from sealift_hub.errors import UnknownDeviceError, UnknownReportError
from sealift_hub.fleet.views import DeviceView, DriftView, FleetTotals, ModelView, ReportView, WindowView
from sealift_hub.limits import DEFAULT_LIMITS
from sealift_hub.storage.models import Device, DeviceModel, StoredEvent, StoredReport, StoredWindow

QUIET = datetime.timedelta(days=1)


def list_devices(session: Session, *, after: str = "", limit: int, models: int = DEFAULT_LIMITS.page_models) -> tuple[DeviceView, ...]:
    """Devices in the order of their ids, beginning behind ``after``: ``limit`` at most, and at most ``models`` together but for the first's."""
    rows = session.scalars(select(Device).where(Device.id > after).order_by(Device.id).limit(limit)).all()
    ids = [row.id for row in rows]
    counts = select(DeviceModel.device_id, func.count()).where(DeviceModel.device_id.in_(ids)).group_by(DeviceModel.device_id)
    numbers = {row[0]: row[1] for row in session.execute(counts)}
    sums = itertools.accumulate(numbers.get(device_id, 0) for device_id in ids)
    fitting = max(1, sum(total <= models for total in sums))
    return _with_models(session, rows[:fitting])


def has_devices(session: Session, *, after: str) -> bool:
    """Whether there are devices behind an id."""
    return session.scalar(select(Device.id).where(Device.id > after).limit(1)) is not None


def recent_devices(session: Session, *, offset: int, limit: int) -> tuple[DeviceView, ...]:
    """Devices, those seen last first; those that never reported come before all, as they are new."""
    order = (Device.last_seen.is_not(None), Device.last_seen.desc(), Device.id)
    return _with_models(session, session.scalars(select(Device).order_by(*order).offset(offset).limit(limit)).all())


def get_device(session: Session, device_id: str) -> DeviceView:
    """One device; `UnknownDeviceError`."""
    device = session.get(Device, device_id)
    if device is None:
        raise UnknownDeviceError("no such device", where=device_id, advice="No device with this id has enrolled at this hub.")
    return _with_models(session, [device])[0]


def totals(session: Session, now: datetime.datetime) -> FleetTotals:
    """The whole fleet at a glance."""
    quiet = or_(Device.last_seen.is_(None), Device.last_seen < now - QUIET)
    models = session.execute(select(DeviceModel.device_id, DeviceModel.requests, DeviceModel.failures, DeviceModel.drift_alarms)).all()
    return FleetTotals(
        devices=_count(session),
        quiet=_count(session, quiet),
        conflicts=_count(session, Device.conflict.is_not(None)),
        serving=len(models),
        requests=sum(row.requests for row in models),
        failures=sum(row.failures for row in models),
        drifting=len({row.device_id for row in models if row.drift_alarms}),
        alarms=sum(row.drift_alarms for row in models),
    )


def count_devices(session: Session) -> int:
    """How many devices are enrolled."""
    return _count(session)


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Device).where(*conditions)) or 0


def newest_windows(session: Session, device_id: str, model: str, *, limit: int) -> tuple[WindowView, ...]:
    """The newest windows of a model, the newest first."""
    w = StoredWindow
    columns = select(w.version, w.start, w.end, w.requests, w.rows, w.failures, w.latency_counts, w.judged, w.drifted)
    rows = session.execute(columns.where(w.device_id == device_id, w.model == model).order_by(w.end.desc(), w.id.desc()).limit(limit))
    return tuple(WindowView(**{**row._mapping, "drifted": tuple(row.drifted)}) for row in rows)  # noqa: SLF001 - SQLAlchemy's public name


def newest_drift(session: Session, device_id: str, model: str) -> DriftView | None:
    """The drift of a model's features in its newest window with a verdict; None if there is none."""
    w = StoredWindow
    columns = select(w.end, w.rows, w.features).where(w.device_id == device_id, w.model == model, w.judged > 0)
    row = session.execute(columns.order_by(w.end.desc(), w.id.desc()).limit(1)).first()
    if row is None:
        return None
    features = sorted(row.features, key=lambda feature: (not feature["alarm"], feature["threshold"] - feature["distance"], feature["name"]))
    return DriftView(end=row.end, rows=row.rows, features=tuple(features))


def newest_events(session: Session, device_id: str, *, limit: int) -> tuple[Event, ...]:
    """The newest entries of a device's ledger, the newest first."""
    rows = session.scalars(select(StoredEvent).where(StoredEvent.device_id == device_id).order_by(StoredEvent.id.desc()).limit(limit))
    return tuple(Event(number=row.number, time=row.time, kind=row.kind, model=row.model, version=row.version, detail=row.detail) for row in rows)


def list_reports(session: Session, device_id: str, *, after: int = 0, limit: int) -> tuple[ReportView, ...]:
    """The reports of a device in their order, beginning behind number ``after``."""
    get_device(session, device_id)
    r = StoredReport
    columns = select(r.number, r.digest, r.created, r.received, r.source, r.size_bytes)
    rows = session.execute(columns.where(r.device_id == device_id, r.number > after).order_by(r.number).limit(limit))
    return tuple(ReportView(**row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's public name


def sealed_report(session: Session, device_id: str, number: int) -> bytes:
    """A report as the device sealed it; `UnknownReportError`."""
    envelope = session.scalar(select(StoredReport.envelope).where(StoredReport.device_id == device_id, StoredReport.number == number))
    if envelope is None:
        raise UnknownReportError("no such report", where=f"device {device_id[:12]}, report {number}")
    return envelope


def _with_models(session: Session, devices: Sequence[Device]) -> tuple[DeviceView, ...]:
    ids = [device.id for device in devices]
    models: dict[str, list[ModelView]] = {device_id: [] for device_id in ids}
    for row in session.scalars(select(DeviceModel).where(DeviceModel.device_id.in_(ids)).order_by(DeviceModel.name)):
        models[row.device_id].append(_model_view(row))
    return tuple(_device_view(device, tuple(models[device.id])) for device in devices)


def _device_view(row: Device, models: tuple[ModelView, ...]) -> DeviceView:
    return DeviceView(
        id=row.id,
        enrolled=row.enrolled,
        last_seen=row.last_seen,
        number=row.number,
        digest=row.digest,
        host=row.host,
        conflict=row.conflict,
        conflict_seen=row.conflict_seen,
        models=models,
    )


def _model_view(row: DeviceModel) -> ModelView:
    return ModelView(
        name=row.name,
        version=row.version,
        previous_version=row.previous_version,
        bundle=row.bundle,
        profile=row.profile,
        state=row.state,
        until=row.until,
        requests=row.requests,
        failures=row.failures,
        p50_ms=quantile_ms(row.latency_counts, 0.5),
        p99_ms=quantile_ms(row.latency_counts, 0.99),
        drifted=tuple(row.drifted),
        drift_alarms=row.drift_alarms,
    )
