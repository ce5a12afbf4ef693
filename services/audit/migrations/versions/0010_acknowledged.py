"""Alarms that somebody has acknowledged: derived from the log, like the rest of the index."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP SCHEMA IF EXISTS trail_next CASCADE")  # a rebuild that did not end, without this table
    op.execute(
        """CREATE TABLE IF NOT EXISTS trail.acknowledged (
        alarm text COLLATE "C" PRIMARY KEY, at timestamptz NOT NULL, by text COLLATE "C" NOT NULL,
        reason text COLLATE "C" NOT NULL, reference text COLLATE "C" NOT NULL)"""
    )
