"""When a holder answered more than is taken of one."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("asks", sa.Column("overfull_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("asks", "overfull_at")
