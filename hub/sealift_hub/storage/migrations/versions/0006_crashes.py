"""When the agent of a device crashed: what its health is judged by."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("devices", sa.Column("crashes", sa.JSON, nullable=False, server_default="[]"))
