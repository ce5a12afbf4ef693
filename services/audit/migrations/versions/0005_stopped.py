"""A shard that is stopped stays known as such, until it goes on."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("heads", sa.Column("stopped_at", sa.DateTime(timezone=True)))
