"""Of which normal form a user's hashes are (shared/renewal.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Rows of before, and those that a process of the version before still writes, are of form 1.
    op.add_column("users", sa.Column("normal_form", sa.SmallInteger, nullable=False, server_default="1"))
    op.create_index("ix_users_normal_form", "users", ["normal_form"])


def downgrade() -> None:
    op.drop_index("ix_users_normal_form", "users")
    op.drop_column("users", "normal_form")
