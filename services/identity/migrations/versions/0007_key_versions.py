"""Under which versions of their keys an account's hashes are made (shared/renewal.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # What is there, and what a process of the version before still writes, is of the first version.
    op.add_column("users", sa.Column("index_version", sa.SmallInteger, nullable=False, server_default="1"))
    op.add_column("users", sa.Column("locator_version", sa.SmallInteger, nullable=False, server_default="1"))
    op.create_index("users_hashed", "users", ["normal_form", "index_version", "locator_version"])
    op.drop_index("ix_users_normal_form", "users")


def downgrade() -> None:
    op.create_index("ix_users_normal_form", "users", ["normal_form"])
    op.drop_index("users_hashed", "users")
    op.drop_column("users", "locator_version")
    op.drop_column("users", "index_version")
