"""What expired of the idempotency entries is found by an index, not by reading all of them at every request."""

from alembic import op

revision = "kernel_0004"
down_revision = "kernel_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("idempotency_created", "idempotency", ["created_at"])
