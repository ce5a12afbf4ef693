"""Changes of addresses that wait for a yes, and the mails that ask for it. What was written before counts as it did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("about", sa.Text, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("facts", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("recipient", sa.Text, index=True),
        *(sa.Column(name, _TIME, nullable=False) for name in ("created_at", "next_try_at")),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        *(sa.Column(name, _TIME) for name in ("left_at", "done_at")),
        *(sa.Column(name, sa.Text) for name in ("outcome", "reason")),
    )
    op.create_index("mails_waiting", "mails", ["next_try_at"], postgresql_where=sa.text("done_at IS NULL"))
    op.create_table(
        "address_changes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Text, sa.ForeignKey("customers.id"), nullable=False, index=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        *(sa.Column(name, _TIME) for name in ("told_at", "confirmed_at", "agreed_at", "settled_at")),
        sa.Column("how", sa.Text),
        *(sa.Column(name, sa.LargeBinary) for name in ("old_email", "new_email", "old_secret", "new_secret")),
    )
    op.create_index(
        "address_changes_one_waiting",
        "address_changes",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    op.drop_table("address_changes")
    op.drop_table("mails")
