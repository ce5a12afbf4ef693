"""What one process of audit knows and the other says too: which shards read differently than they were signed; and,
in a process that stands by, what the one that has a slot of the log says of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP SCHEMA IF EXISTS trail_next CASCADE")  # a rebuild that did not end, without this table
    op.execute(
        """CREATE TABLE IF NOT EXISTS trail.tampered (
        shard text COLLATE "C" PRIMARY KEY, at timestamptz NOT NULL)"""
    )
    op.create_table(
        "slots",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("of", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("said", JSONB, nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
    )
