"""An approval is its requester's; what a service asks for a person outside never lapses. Reminders, and why it was a no.

What dsar had asked for bore identity's own name until now, and ended undecided after some days: it is dsar's, and stays open.
What staff asked for in dsar's place ends with the next round, as undecided.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEW = ("subjects", "lapses", "grounds", "ground", "reminded_at", "reminder", "reminders")


def upgrade() -> None:
    op.add_column("approvals", sa.Column("subjects", ARRAY(sa.Text), nullable=False, server_default="{}"))
    op.add_column("approvals", sa.Column("lapses", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("approvals", sa.Column("grounds", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("approvals", sa.Column("ground", sa.Text))
    op.add_column("approvals", sa.Column("reminded_at", sa.DateTime(timezone=True)))
    op.add_column("approvals", sa.Column("reminder", sa.Text))
    op.add_column("approvals", sa.Column("reminders", sa.Integer, nullable=False, server_default="0"))
    op.execute(
        "UPDATE approvals SET requester = 'system:dsar', lapses = false, subjects = array_remove(ARRAY[subject], NULL)"
        " WHERE action = 'erase' AND starts_with(requester, 'system:')"
    )
    op.execute(
        "UPDATE approvals SET expires_at = least(expires_at, now())"
        " WHERE action = 'erase' AND NOT starts_with(requester, 'system:') AND state = 'requested'"
    )
    op.execute(
        "ALTER TABLE approvals ADD CONSTRAINT approvals_asked_by_who_may CHECK"
        " ((action = 'erase') = starts_with(requester, 'system:') OR state = 'expired') NOT VALID"
    )


def downgrade() -> None:
    op.drop_constraint("approvals_asked_by_who_may", "approvals")
    for name in _NEW:
        op.drop_column("approvals", name)
