"""Changes of addresses that wait for a yes, and the mails that ask for it. What was written before counts as it did."""

import sqlalchemy as sa
from alembic import op

from shared.mail.tables import create

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    create(op.get_bind())
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
