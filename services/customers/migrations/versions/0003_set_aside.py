"""What a loop could not do is kept with its reason (shared/loops)."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = "kernel_0002"


def upgrade() -> None:
    """All of it is the kernel's."""
