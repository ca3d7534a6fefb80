"""What a hub needs to take a device up again: holes, an operator's word, what was superseded; and the hub's settings."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)


def _device() -> sa.Column[str]:
    return sa.Column("device_id", sa.String(64), sa.ForeignKey("devices.id"), nullable=False)


def upgrade() -> None:
    """Add the columns and the tables."""
    for column in (sa.Column("offered", sa.BigInteger), sa.Column("offered_seen", _TIME), sa.Column("resume_asked", _TIME)):
        op.add_column("devices", column)
    op.create_table(
        "superseded_reports",
        sa.Column("id", _COUNTER, primary_key=True),
        _device(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        *(sa.Column(name, _TIME, nullable=False) for name in ("created", "received")),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_index("superseded_by_number", "superseded_reports", ["device_id", "number"])
    op.create_table(
        "interruptions",
        sa.Column("id", _COUNTER, primary_key=True),
        _device(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        *(sa.Column(name, _TIME, nullable=False) for name in ("asked", "time")),
    )
    op.create_index("interruptions_of_device", "interruptions", ["device_id", "id"])
    op.create_table("settings", sa.Column("key", sa.String(100), primary_key=True), sa.Column("value", sa.Text, nullable=False))
