"""The employee number is kept sealed: the locator by which files name a member of staff can be made anew from it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("number", sa.LargeBinary))


def downgrade() -> None:
    op.drop_column("users", "number")
