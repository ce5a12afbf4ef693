"""What every service had from the beginning: outbox, inbox, keys, spent grants, answers by idempotency key."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "kernel_0001"
down_revision = None
branch_labels = ("kernel",)
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOW = sa.func.now()


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("ce_id", sa.String(36), nullable=False, unique=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("headers", JSONB, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
        sa.Column("published_at", _TIME),
        sa.Column("partition", sa.Integer),
        sa.Column("offset", sa.BigInteger),
    )
    op.create_index("outbox_unpublished", "outbox", ["id"], postgresql_where=sa.text("published_at IS NULL"))
    op.create_index(
        "outbox_placed", "outbox", ["topic", "partition", "offset"], postgresql_where=sa.text("partition IS NOT NULL")
    )
    op.create_table(
        "inbox",
        sa.Column("ce_id", sa.Text, primary_key=True),
        sa.Column("handled_at", _TIME, nullable=False, server_default=_NOW),
    )
    op.create_table(
        "keyring",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
    )
    op.create_table(
        "shredded",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("shredded_at", _TIME, nullable=False),
    )
    op.create_table(
        "spent_grants",
        sa.Column("jti", sa.Text, primary_key=True),
        sa.Column("spent_at", _TIME, nullable=False),
    )
    op.create_table(
        "idempotency",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at", _TIME, nullable=False, server_default=_NOW),
    )
