"""How each model stands to its channel; empty for what older agents reported."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns."""
    for column in (sa.Column("channel_version", sa.String(200)), sa.Column("condition", sa.String(200)), sa.Column("standing", sa.Text)):
        column.nullable, column.server_default = False, sa.DefaultClause("")
        op.add_column("device_models", column)
