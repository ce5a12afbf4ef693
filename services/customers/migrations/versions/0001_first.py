"""Customer records, their locators, the staff directory, and the kernel's tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
depends_on = "kernel_0001"

_TIME = sa.DateTime(timezone=True)
_SEALED = ("first_name", "last_name", "email", "phone", "address", "city", "state", "country", "postal_code")


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("owner_locator", sa.Text, index=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("erased_at", _TIME),
        sa.Column("email_index", sa.LargeBinary, index=True),
        sa.Column("phone_index", sa.LargeBinary, index=True),
        *(sa.Column(name, sa.LargeBinary) for name in _SEALED),
    )
    op.create_table(
        "customer_locators",
        sa.Column("locator", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Text, sa.ForeignKey("customers.id"), primary_key=True, index=True),
        sa.Column("kind", sa.Text, nullable=False),
    )
    # Two imports of one file at the same moment: the database lets one of them make the customer, not both.
    op.create_index(
        "customer_locators_one_external",
        "customer_locators",
        ["locator"],
        unique=True,
        postgresql_where=sa.text("kind = 'external'"),
    )
    op.create_table(
        "staff_locators",
        sa.Column("locator", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False, index=True),
    )
