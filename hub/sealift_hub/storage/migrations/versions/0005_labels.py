"""Names that operators give to devices."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("devices", sa.Column("label", sa.String(64), nullable=False, server_default=""))
