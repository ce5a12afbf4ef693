"""A shard knows the broker's id of its topic: one that was made anew has another."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("heads", sa.Column("topic_id", sa.Uuid()))
