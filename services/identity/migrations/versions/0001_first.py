"""Accounts, factors, sessions, approvals, and the kernel's tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0001"
down_revision = None
depends_on = "kernel_0001"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("manager", sa.Text, sa.ForeignKey("users.id"), index=True),
        sa.Column("roles", ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("erased_at", _TIME),
        sa.Column("name", sa.LargeBinary),
        sa.Column("email", sa.LargeBinary),
        sa.Column("phone", sa.LargeBinary),
        sa.Column("email_index", sa.LargeBinary, unique=True),
        sa.Column("password", sa.Text),
    )
    op.create_table(
        "user_locators",
        sa.Column("locator", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id"), primary_key=True),
    )
    op.create_table(
        "factors",
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("secret", sa.LargeBinary),
        sa.Column("last_step", sa.BigInteger),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False, index=True),
        sa.Column("ended_at", _TIME),
    )
    op.create_table(
        "failed_tries",
        sa.Column("email_index", sa.LargeBinary, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("blocked_until", _TIME),
        sa.Column("last_at", _TIME, nullable=False, index=True),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False, index=True),
        sa.Column("requester", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("state", sa.Text, nullable=False, index=True),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False, index=True),
        sa.Column("decided_at", _TIME),
        sa.Column("grant_id", sa.Text, unique=True),
    )
    # Two requests at the same moment: the database lets one of them wait for approval, not both.
    op.create_index(
        "approvals_one_open",
        "approvals",
        ["action", "resource", "requester"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )
    op.create_table(
        "approval_voices",
        sa.Column("approval_id", sa.Text, sa.ForeignKey("approvals.id"), primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("word", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
    )
