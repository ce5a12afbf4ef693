"""Two people at the desk decide on evidence which record is the person's: of what kind it was."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("claims", sa.Column("evidence", sa.Text()))


def downgrade() -> None:
    op.drop_column("claims", "evidence")
