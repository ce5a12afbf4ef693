"""What a loop could not do is kept with its reason (shared/loops)."""

from alembic import op

from shared.db import create_kernel_tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_kernel_tables(op.get_bind())
