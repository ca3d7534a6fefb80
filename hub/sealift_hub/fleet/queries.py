"""The questions about the fleet, each answered from one reading session."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from sealift_core.clock import parse_time
from sealift_core.messages.health import SILENCE
from sealift_core.messages.histogram import quantile_ms
from sealift_core.messages.report import Event
from sealift_hub.errors import UnknownDeviceError, UnknownReportError
from sealift_hub.fleet.views import DeviceView, DriftView, FleetTotals, InterruptionView, ModelView, ReportView, WindowView
from sealift_hub.limits import DEFAULT_LIMITS
from sealift_hub.storage.models import DeviceModel, Interruption, StoredDevice, StoredEvent, StoredReport, StoredWindow

#: An id's hex digits, and the fewest that stand for one: commands and pages print twelve or sixteen.
ID_DIGITS = 64
SHORTEST_ID = 8
#: Of the devices on a page together: an operator's word makes each, so there are few.
MOST_INTERRUPTIONS = 1000


def list_devices(session: Session, *, after: str = "", limit: int, models: int = DEFAULT_LIMITS.page_models) -> tuple[DeviceView, ...]:
    """Devices in the order of their ids, beginning behind ``after``: ``limit`` at most, and at most ``models`` together but for the first's."""
    devices = session.scalars(select(StoredDevice).where(StoredDevice.id > after).order_by(StoredDevice.id).limit(limit)).all()
    ids = [device.id for device in devices]
    counts = select(DeviceModel.device_id, func.count().label("models")).where(DeviceModel.device_id.in_(ids)).group_by(DeviceModel.device_id)
    numbers = {count.device_id: count.models for count in session.execute(counts)}
    sums = itertools.accumulate(numbers.get(device_id, 0) for device_id in ids)
    fitting = max(1, sum(total <= models for total in sums))
    return _with_models(session, devices[:fitting])


def has_devices(session: Session, *, after: str) -> bool:
    """Whether there are devices behind an id."""
    return session.scalar(select(StoredDevice.id).where(StoredDevice.id > after).limit(1)) is not None


def recent_devices(session: Session, *, offset: int, limit: int) -> tuple[DeviceView, ...]:
    """Devices, those seen last first; those that never reported come before all, as they are new."""
    order = (StoredDevice.last_seen.is_not(None), StoredDevice.last_seen.desc(), StoredDevice.id)
    return _with_models(session, session.scalars(select(StoredDevice).order_by(*order).offset(offset).limit(limit)).all())


def get_device(session: Session, device_id: str) -> DeviceView:
    """One device, by its id or the beginning of it; `UnknownDeviceError`."""
    device = session.get(StoredDevice, full_id(session, device_id))
    if device is None:
        raise UnknownDeviceError("no such device", where=device_id, advice="No device with this id has enrolled at this hub.")
    return _with_models(session, [device])[0]


def interrupted_devices(session: Session) -> list[str]:
    """The ids of the devices whose reports the hub can't take: those with a gap or a conflict."""
    gap = StoredDevice.offered > StoredDevice.number + 1
    return list(session.scalars(select(StoredDevice.id).where(or_(gap, StoredDevice.conflict.is_not(None))).order_by(StoredDevice.id)))


def full_id(session: Session, given: str) -> str:
    """The id of the one device whose id begins so, `SHORTEST_ID` digits at least; what is given where none does.

    `UnknownDeviceError` where several do.
    """
    if not SHORTEST_ID <= len(given) < ID_DIGITS:
        return given
    ids = session.scalars(select(StoredDevice.id).where(StoredDevice.id.startswith(given, autoescape=True)).order_by(StoredDevice.id).limit(2)).all()
    if len(ids) > 1:
        raise UnknownDeviceError("several devices have an id that begins so", where=given, advice="Give more digits of the id.")
    return ids[0] if ids else given


def totals(session: Session, now: datetime.datetime) -> FleetTotals:
    """The whole fleet at a glance."""
    quiet = or_(StoredDevice.last_seen.is_(None), StoredDevice.last_seen < now - SILENCE)
    models = session.execute(select(DeviceModel.device_id, DeviceModel.requests, DeviceModel.failures, DeviceModel.drift_alarms)).all()
    return FleetTotals(
        devices=_count(session),
        quiet=_count(session, quiet),
        conflicts=_count(session, StoredDevice.conflict.is_not(None)),
        serving=len(models),
        requests=sum(model.requests for model in models),
        failures=sum(model.failures for model in models),
        drifting=len({model.device_id for model in models if model.drift_alarms}),
        alarms=sum(model.drift_alarms for model in models),
    )


def count_devices(session: Session) -> int:
    """How many devices are enrolled."""
    return _count(session)


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(StoredDevice).where(*conditions)) or 0


def newest_windows(session: Session, device_id: str, model: str, *, limit: int) -> tuple[WindowView, ...]:
    """The newest windows of a model in the order of the reports that they came in, the newest first."""
    w = StoredWindow
    columns = select(w.version, w.start, w.end, w.requests, w.rows, w.failures, w.latency_counts, w.judged, w.drifted)
    windows = session.execute(columns.where(w.device_id == device_id, w.model == model).order_by(w.id.desc()).limit(limit))
    return tuple(WindowView(**{**window._mapping, "drifted": tuple(window.drifted)}) for window in windows)  # noqa: SLF001 - SQLAlchemy's public name


def newest_drift(session: Session, device_id: str, model: str) -> DriftView | None:
    """The drift of a model's features in its newest window with a verdict; None if there is none."""
    w = StoredWindow
    columns = select(w.end, w.rows, w.features).where(w.device_id == device_id, w.model == model, w.judged > 0)
    window = session.execute(columns.order_by(w.id.desc()).limit(1)).first()
    if window is None:
        return None
    features = sorted(window.features, key=lambda feature: (not feature["alarm"], feature["threshold"] - feature["distance"], feature["name"]))
    return DriftView(end=window.end, rows=window.rows, features=tuple(features))


def newest_events(session: Session, device_id: str, *, limit: int) -> tuple[Event, ...]:
    """The newest entries of a device's ledger, the newest first."""
    events = session.scalars(select(StoredEvent).where(StoredEvent.device_id == device_id).order_by(StoredEvent.id.desc()).limit(limit))
    return tuple(map(event_of, events))


def event_of(stored: StoredEvent) -> Event:
    """A stored event as the device told it."""
    return Event(number=stored.number, time=stored.time, kind=stored.kind, model=stored.model, version=stored.version, detail=stored.detail)


def list_reports(session: Session, device_id: str, *, after: int = 0, limit: int) -> tuple[ReportView, ...]:
    """The reports of a device in their order, beginning behind number ``after``."""
    device_id = get_device(session, device_id).id
    r = StoredReport
    columns = select(r.number, r.digest, r.created, r.received, r.source, r.size_bytes)
    reports = session.execute(columns.where(r.device_id == device_id, r.number > after).order_by(r.number).limit(limit))
    return tuple(ReportView(**report._mapping) for report in reports)  # noqa: SLF001 - SQLAlchemy's public name


def sealed_report(session: Session, device_id: str, number: int) -> bytes:
    """A report as the device sealed it; `UnknownReportError`."""
    device_id = full_id(session, device_id)
    envelope = session.scalar(select(StoredReport.envelope).where(StoredReport.device_id == device_id, StoredReport.number == number))
    if envelope is None:
        raise UnknownReportError("no such report", where=f"device {device_id[:12]}, report {number}")
    if not envelope:
        advice = "hub.toml says how long reports are kept."
        raise UnknownReportError("this report is no longer kept", where=f"device {device_id[:12]}, report {number}", advice=advice)
    return envelope


def _with_models(session: Session, devices: Sequence[StoredDevice]) -> tuple[DeviceView, ...]:
    ids = [device.id for device in devices]
    models: dict[str, list[ModelView]] = {device_id: [] for device_id in ids}
    for model in session.scalars(select(DeviceModel).where(DeviceModel.device_id.in_(ids)).order_by(DeviceModel.name)):
        models[model.device_id].append(_model_view(model))
    interruptions: dict[str, list[InterruptionView]] = {device_id: [] for device_id in ids}
    newest = select(Interruption).where(Interruption.device_id.in_(ids)).order_by(Interruption.id.desc()).limit(MOST_INTERRUPTIONS)
    for stored in session.scalars(newest):
        view = InterruptionView(number=stored.number, reason=stored.reason, asked=stored.asked, time=stored.time)
        interruptions[stored.device_id].append(view)
    return tuple(_device_view(device, tuple(models[device.id]), tuple(interruptions[device.id])) for device in devices)


def _device_view(device: StoredDevice, models: tuple[ModelView, ...], interruptions: tuple[InterruptionView, ...]) -> DeviceView:
    return DeviceView(
        id=device.id,
        enrolled=device.enrolled,
        last_seen=device.last_seen,
        number=device.number,
        digest=device.digest,
        host=device.host,
        conflict=device.conflict,
        conflict_seen=device.conflict_seen,
        clock_offset_s=device.clock_offset_s,
        label=device.label,
        crashes=tuple(map(parse_time, device.crashes)),
        offered=device.offered,
        resume_asked=device.resume_asked,
        interruptions=interruptions,
        models=models,
    )


def _model_view(model: DeviceModel) -> ModelView:
    return ModelView(
        name=model.name,
        version=model.version,
        previous_version=model.previous_version,
        bundle=model.bundle,
        profile=model.profile,
        state=model.state,
        channel_version=model.channel_version,
        condition=model.condition,
        standing=model.standing,
        until=model.until,
        requests=model.requests,
        failures=model.failures,
        p50_ms=quantile_ms(model.latency_counts, 0.5),
        p99_ms=quantile_ms(model.latency_counts, 0.99),
        drifted=tuple(model.drifted),
        drift_alarms=model.drift_alarms,
    )
