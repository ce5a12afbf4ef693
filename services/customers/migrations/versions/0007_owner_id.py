"""A record is owned by a user's id; the locator of a representative is what it waits by, until that user is there."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("customers", sa.Column("owner_id", sa.Text))
    op.add_column("customers", sa.Column("owner_number", sa.LargeBinary))
    # The locator stays beside the id: a process of the version before still goes by it. Who is not found here waits, and is
    # found when identity tells of the user (records/ownership.py).
    op.execute(
        "UPDATE customers SET owner_id = staff_locators.user_id FROM staff_locators "
        "WHERE staff_locators.locator = customers.owner_locator AND customers.erased_at IS NULL"
    )
    op.create_index("customers_owned", "customers", ["owner_id", sa.text('id COLLATE "C"')])
    op.create_index(
        "customers_unowned",
        "customers",
        ["owner_locator"],
        postgresql_where=sa.text("owner_id IS NULL AND erased_at IS NULL"),
    )
    op.drop_index("ix_customers_owner_locator", "customers")


def downgrade() -> None:
    op.create_index("ix_customers_owner_locator", "customers", ["owner_locator"])
    op.drop_index("customers_unowned", "customers")
    op.drop_index("customers_owned", "customers")
    op.drop_column("customers", "owner_number")
    op.drop_column("customers", "owner_id")
