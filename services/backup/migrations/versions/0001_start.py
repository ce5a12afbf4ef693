"""Sets, drills, restores, erasures, and the kernel's tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = "kernel_0001"


def _text(name: str, *, required: bool = True, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=not required, primary_key=key)


def _at(name: str, *, required: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not required)


def upgrade() -> None:
    op.create_table(
        "sets",
        _text("id", key=True),
        _text("state"),
        _at("started_at", required=True),
        _at("taken_at"),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("parts", sa.Integer()),
        _text("manifest_sha256", required=False),
        _text("failure", required=False),
    )
    op.create_index("ix_sets_started_at", "sets", ["started_at"])
    op.create_table(
        "drills",
        _text("id", key=True),
        _text("backup_id"),
        _text("state"),
        _at("started_at", required=True),
        _at("finished_at"),
        sa.Column("erasures", sa.Integer()),
        sa.Column("checks", JSONB(), nullable=False),
        _text("report_sha256", required=False),
    )
    op.create_index("ix_drills_started_at", "drills", ["started_at"])
    op.create_table(
        "restores",
        _text("id", key=True),
        _text("backup_id"),
        _text("approval_id"),
        _text("state"),
        _at("started_at", required=True),
        _at("finished_at"),
        sa.Column("erasures", sa.Integer()),
        _text("failure", required=False),
    )
    op.create_table(
        "erasures",
        _text("holder", key=True),
        _text("subject", key=True),
        _text("event_id"),
        _at("heard_at", required=True),
    )


def downgrade() -> None:
    for table in ("erasures", "restores", "drills", "sets"):
        op.drop_table(table)
