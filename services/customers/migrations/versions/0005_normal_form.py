"""Of which normal form a record's hashes are, and which stored values today's grammar refuses (shared/renewal.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Rows of before, and those that a process of the version before still writes, are of form 1.
    op.add_column("customers", sa.Column("normal_form", sa.SmallInteger, nullable=False, server_default="1"))
    op.create_index("ix_customers_normal_form", "customers", ["normal_form"])
    op.create_table(
        "unusable_values",
        sa.Column("customer_id", sa.Text, sa.ForeignKey("customers.id"), primary_key=True),
        sa.Column("field", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("unusable_values")
    op.drop_index("ix_customers_normal_form", "customers")
    op.drop_column("customers", "normal_form")
