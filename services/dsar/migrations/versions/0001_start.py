"""Requests, the saga's memory, codes, mails, certificates, and the kernel's tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0001"
down_revision = None
branch_labels = None
depends_on = "kernel_0001"


def _at(name: str, *, required: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not required)


def _text(name: str, *, required: bool = True) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=not required)


def _of_request(*, primary_key: bool = False) -> "sa.Column[str]":
    owner = sa.ForeignKey("requests.id", ondelete="CASCADE")
    return sa.Column("request_id", sa.Text(), owner, nullable=False, primary_key=primary_key)


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Text(), primary_key=True),
        *(_text(name) for name in ("right", "state", "language", "law", "article")),
        *(_text(name, required=False) for name in ("outcome", "close_reason", "approval_id", "locator", "recipient")),
        *(_at(name, required=True) for name in ("received_at", "due_at")),
        *(_at(name) for name in ("latest_at", "extended_at", "verified_at", "dispatched_at", "answered_at", "closed_at")),
        sa.Column("approvers", ARRAY(sa.Text()), nullable=False),
        sa.Column("subjects", ARRAY(sa.Text()), nullable=False),
        *(sa.Column(name, sa.LargeBinary()) for name in ("capability", "address", "private_key")),
    )
    for name in ("state", "due_at", "locator"):
        op.create_index(f"ix_requests_{name}", "requests", [name])
    op.create_table(
        "asks",
        _of_request(primary_key=True),
        *(sa.Column(name, sa.Text(), primary_key=True) for name in ("holder", "command", "subject")),
        _at("asked_at", required=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        _at("answered_at"),
    )
    op.create_table(
        "parts",
        _of_request(primary_key=True),
        *(sa.Column(name, sa.Text(), primary_key=True) for name in ("holder", "subject")),
        sa.Column("part", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        _text("sealed"),
    )
    op.create_table(
        "erasures",
        _of_request(primary_key=True),
        *(sa.Column(name, sa.Text(), primary_key=True) for name in ("holder", "subject")),
        _text("event_id"),
        sa.Column("fields", sa.Integer(), nullable=False),
        sa.Column("kept", sa.JSON(), nullable=False),
        _text("note"),
        _text("receipt", required=False),
    )
    op.create_table(
        "certificates", _of_request(primary_key=True), _text("note"), _text("sha256"), _at("issued_at", required=True)
    )
    op.create_table(
        "codes",
        _of_request(primary_key=True),
        _text("hash"),
        _at("expires_at", required=True),
        sa.Column("tries", sa.Integer(), nullable=False),
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        _of_request(),
        _text("kind"),
        *(_at(name, required=True) for name in ("created_at", "next_try_at")),
        sa.Column("tries", sa.Integer(), nullable=False),
        _at("done_at"),
        _text("outcome", required=False),
    )
    op.create_index("ix_mails_request_id", "mails", ["request_id"])
    op.create_index("ix_mails_next_try_at", "mails", ["next_try_at"])


def downgrade() -> None:
    for table in ("mails", "codes", "certificates", "erasures", "parts", "asks", "requests"):
        op.drop_table(table)
