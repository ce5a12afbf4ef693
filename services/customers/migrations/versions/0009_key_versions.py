"""Under which versions of their keys a record's hashes are made (shared/renewal.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # What is there, and what a process of the version before still writes, is of the first version.
    op.add_column("customers", sa.Column("index_version", sa.SmallInteger, nullable=False, server_default="1"))
    op.add_column("customers", sa.Column("locator_version", sa.SmallInteger, nullable=False, server_default="1"))
    op.create_index("customers_hashed", "customers", ["normal_form", "index_version", "locator_version"])
    op.drop_index("ix_customers_normal_form", "customers")


def downgrade() -> None:
    op.create_index("ix_customers_normal_form", "customers", ["normal_form"])
    op.drop_index("customers_hashed", "customers")
    op.drop_column("customers", "locator_version")
    op.drop_column("customers", "index_version")
