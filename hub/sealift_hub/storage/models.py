"""The tables. What a device signed is kept as it came (`StoredReport`); the rest is derived from it and shown.

Sums over counts that devices sent are made in Python: SQLite's ``sum`` gives up beyond 64 bits.
"""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, LargeBinary, String, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcTime(TypeDecorator[datetime.datetime]):
    """An aware moment in UTC, also where the database forgets time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else value.astimezone(datetime.UTC)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:  # noqa: ARG002
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=datetime.UTC) if value.tzinfo is None else value.astimezone(datetime.UTC)


#: A key that counts up; SQLite does so only for its own INTEGER.
Counter = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {datetime.datetime: UtcTime(), int: BigInteger()}  # noqa: RUF012 - SQLAlchemy reads it off the class


class StoredDevice(Base):
    """A device and the head of its chain: the number and digest of the newest report that is here. ``label`` is an operator's name for it.

    ``conflict`` tells of a report that the device signed but that contradicts what it told before. ``clock_offset_s`` is how many seconds the
    device's clock is ahead, negative for behind; NULL if it is right as far as its reports show. ``offered`` is the lowest number beyond a hole that
    the device offered, ``resume_asked`` when an operator asked to take its chain up again wherever it stands.
    ``crashes`` are the times of the newest crashes that it told of, never after the hub heard of them.
    """

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    public_key: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(String(64), default="", server_default="")
    enrolled: Mapped[datetime.datetime]
    last_seen: Mapped[datetime.datetime | None] = mapped_column(index=True)
    number: Mapped[int] = mapped_column(default=0)
    digest: Mapped[str | None] = mapped_column(String(71))
    host: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    conflict: Mapped[str | None] = mapped_column(Text)
    conflict_seen: Mapped[datetime.datetime | None]
    clock_offset_s: Mapped[int | None]
    offered: Mapped[int | None]
    offered_seen: Mapped[datetime.datetime | None]
    resume_asked: Mapped[datetime.datetime | None]
    crashes: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")


class StoredReport(Base):
    """A report as the device sealed it, byte for byte."""

    __tablename__ = "reports"

    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(71))
    created: Mapped[datetime.datetime]
    received: Mapped[datetime.datetime]
    source: Mapped[str] = mapped_column(String(20))
    size_bytes: Mapped[int]
    envelope: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class SupersededReport(Base):
    """A report that another one of its number took the place of, when an operator had its device's chain taken up again."""

    __tablename__ = "superseded_reports"
    __table_args__ = (Index("superseded_by_number", "device_id", "number"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    number: Mapped[int]
    digest: Mapped[str] = mapped_column(String(71))
    created: Mapped[datetime.datetime]
    received: Mapped[datetime.datetime]
    source: Mapped[str] = mapped_column(String(20))
    size_bytes: Mapped[int]
    envelope: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class Interruption(Base):
    """Where a device's chain of reports was taken up again at an operator's word: at report ``number``, and what is missing or was superseded."""

    __tablename__ = "interruptions"
    __table_args__ = (Index("interruptions_of_device", "device_id", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    number: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    asked: Mapped[datetime.datetime]
    time: Mapped[datetime.datetime]


class Setting(Base):
    """Something that the hub remembers about itself."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class DeviceModel(Base):
    """A model on a device as the newest report has it, with the totals of the last day that the device told of.

    ``hours`` has the sums of each hour of that day (`sealift_hub.ingest.day`), NULL where an earlier hub kept none; ``judged_until`` is the end of
    the window that ``drifted`` is of.
    """

    __tablename__ = "device_models"

    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[str] = mapped_column(String(200))
    previous_version: Mapped[str] = mapped_column(String(200))
    bundle: Mapped[str] = mapped_column(String(200))
    profile: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(200))
    channel_version: Mapped[str] = mapped_column(String(200), default="", server_default="")
    condition: Mapped[str] = mapped_column(String(200), default="", server_default="")
    standing: Mapped[str] = mapped_column(Text, default="", server_default="")
    until: Mapped[datetime.datetime | None]
    requests: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    latency_counts: Mapped[list[int]] = mapped_column(JSON, default=list)
    drifted: Mapped[list[str]] = mapped_column(JSON, default=list)
    drift_alarms: Mapped[int] = mapped_column(default=0)
    hours: Mapped[dict[str, list[int]] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    judged_until: Mapped[datetime.datetime | None]


class StoredWindow(Base):
    """One window of one model; ``features`` holds each `FeatureDrift` as JSON, ``drifted`` the names of those with an alarm.

    The order of ``id`` is that of the reports, since a device's clock may say anything. ``start`` and ``end`` are the device's, but not after
    the report came.
    ``judged`` counts the features: 0 means that the window was too small for a verdict.
    """

    __tablename__ = "windows"
    __table_args__ = (Index("windows_in_order", "device_id", "model", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    report_number: Mapped[int]
    model: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(128))
    bundle: Mapped[str] = mapped_column(String(71))
    start: Mapped[datetime.datetime]
    end: Mapped[datetime.datetime]
    requests: Mapped[int]
    rows: Mapped[int]
    failures: Mapped[dict[str, int]] = mapped_column(JSON)
    latency_counts: Mapped[list[int]] = mapped_column(JSON)
    judged: Mapped[int]
    drifted: Mapped[list[str]] = mapped_column(JSON)
    features: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class StoredEvent(Base):
    """One entry of a device's ledger, as a report told it."""

    __tablename__ = "events"
    __table_args__ = (Index("events_by_number", "device_id", "number"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    report_number: Mapped[int]
    number: Mapped[int]
    time: Mapped[datetime.datetime]
    kind: Mapped[str] = mapped_column(String(100))
    model: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(128))
    detail: Mapped[str] = mapped_column(Text)
