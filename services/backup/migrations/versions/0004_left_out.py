"""Whom a restore, or a drill, of a set from before the horizon leaves out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("drills", "restores"):
        op.add_column(table, sa.Column("left_out", JSONB))


def downgrade() -> None:
    for table in ("drills", "restores"):
        op.drop_column(table, "left_out")
