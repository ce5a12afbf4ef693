"""How often somebody asked, was sent a code or guessed a number, under keyed hashes. What was before is not counted."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("key", sa.LargeBinary(), primary_key=True),
        sa.Column("spent_until", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_counters_spent_until", "counters", ["spent_until"])
    op.create_index("ix_requests_received_at", "requests", ["received_at"])


def downgrade() -> None:
    op.drop_index("ix_requests_received_at", "requests")
    op.drop_table("counters")
