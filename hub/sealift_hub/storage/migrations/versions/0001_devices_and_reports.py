"""Devices, their reports, and what is derived from them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)


def _device() -> sa.Column[str]:
    return sa.Column("device_id", sa.String(64), sa.ForeignKey("devices.id"), nullable=False)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _times(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, _TIME, nullable=False) for name in names]


def _json(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.JSON, nullable=False) for name in names]


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "devices",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("public_key", sa.Text, nullable=False),
        *_times("enrolled"),
        sa.Column("last_seen", _TIME),
        *_integers("number"),
        sa.Column("digest", sa.String(71)),
        *_json("host"),
        sa.Column("conflict", sa.Text),
        sa.Column("conflict_seen", _TIME),
    )
    op.create_index("ix_devices_last_seen", "devices", ["last_seen"])
    op.create_table(
        "reports",
        _device(),
        *_integers("number"),
        _text("digest", 71),
        *_times("created", "received"),
        _text("source", 20),
        *_integers("size_bytes"),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("device_id", "number"),
    )
    op.create_table(
        "device_models",
        _device(),
        *(_text(name, 200) for name in ("name", "version", "previous_version", "bundle", "profile", "state")),
        sa.Column("until", _TIME),
        *_integers("requests", "failures"),
        *_json("latency_counts", "drifted"),
        *_integers("drift_alarms"),
        sa.PrimaryKeyConstraint("device_id", "name"),
    )
    op.create_table(
        "windows",
        sa.Column("id", _COUNTER, primary_key=True),
        _device(),
        *_integers("report_number"),
        _text("model", 128),
        _text("version", 128),
        _text("bundle", 71),
        *_times("start", "end"),
        *_integers("requests", "rows"),
        *_json("failures", "latency_counts"),
        *_integers("judged"),
        *_json("drifted", "features"),
    )
    op.create_index("windows_newest", "windows", ["device_id", "model", "end"])
    op.create_table(
        "events",
        sa.Column("id", _COUNTER, primary_key=True),
        _device(),
        *_integers("report_number", "number"),
        *_times("time"),
        _text("kind", 100),
        _text("model", 128),
        _text("version", 128),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("events_by_number", "events", ["device_id", "number"])
