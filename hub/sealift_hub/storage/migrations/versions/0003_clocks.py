"""Windows in the order of their reports, never later than those came; sums by the hour; and clocks that are off."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_RECEIVED = "(SELECT received FROM reports WHERE reports.device_id = windows.device_id AND reports.number = windows.report_number)"
_LAST_SEEN = "(SELECT last_seen FROM devices WHERE devices.id = device_models.device_id)"


def upgrade() -> None:
    """Add the columns, and cap the times of a clock that was ahead."""
    op.add_column("devices", sa.Column("clock_offset_s", sa.BigInteger))
    op.add_column("device_models", sa.Column("hours", sa.JSON))
    op.add_column("device_models", sa.Column("judged_until", sa.DateTime(timezone=True)))
    for table, moment, known in (("windows", "start", _RECEIVED), ("windows", '"end"', _RECEIVED), ("device_models", "until", _LAST_SEEN)):
        op.execute(f"UPDATE {table} SET {moment} = {known} WHERE {moment} > {known}")  # noqa: S608 - our own names
    op.drop_index("windows_newest", "windows")
    op.create_index("windows_in_order", "windows", ["device_id", "model", "id"])
