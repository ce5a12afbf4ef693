"""When two people were last asked to decide, and why it was a no."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("requests", sa.Column("approval_asked_at", sa.DateTime(timezone=True)))
    op.add_column("requests", sa.Column("refusal", sa.Text()))


def downgrade() -> None:
    for name in ("approval_asked_at", "refusal"):
        op.drop_column("requests", name)
