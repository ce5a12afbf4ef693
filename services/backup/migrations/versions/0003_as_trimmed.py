"""Before a trim, the oldest set that is kept is drilled as it will be restored after it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("drills", sa.Column("as_trimmed", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("drills", "as_trimmed")
